#include "experiments/config/config_values.h"

#include <sstream>

namespace lathe::experiments {
namespace {

std::string number_text(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

}  // namespace

std::string describe_range(const std::string& what, const Rule& rule) {
  const bool has_low = std::isfinite(rule.at_least), has_high = std::isfinite(rule.at_most);
  if (has_low && has_high) return what + " from " + number_text(rule.at_least) + " to " + number_text(rule.at_most);
  if (has_low) return what + " of at least " + number_text(rule.at_least);
  if (has_high) return what + " of at most " + number_text(rule.at_most);
  return what;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string text_of(const YAML::Node& node) {
  YAML::Emitter emitter;
  emitter << YAML::Flow << node;
  std::string text = node.IsScalar() ? node.Scalar() : emitter.c_str();
  for (char& c : text)
    if (c == '\n') c = ' ';
  constexpr std::size_t kLongest = 60;
  if (text.size() <= kLongest) return text;
  text.resize(kLongest);
  text += "...";
  return text;
}

}  // namespace lathe::experiments
