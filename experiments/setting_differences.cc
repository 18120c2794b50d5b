#include "experiments/setting_differences.h"

#include <algorithm>
#include <utility>

namespace lathe::experiments {
namespace {

std::pair<std::string, std::string> key_and_value(const std::string& line) {
  return {line.substr(0, line.find(": ")), line.substr(std::min(line.size(), line.find(": ") + 2))};
}

}  // namespace

std::string setting_differences(const std::vector<std::string>& then, const std::vector<std::string>& now) {
  std::string text;
  const auto add = [&](const std::string& key, const std::string& before, const std::string& after) {
    text += (text.empty() ? "" : "; ") + key + ": " + before + " then, " + after + " now";
  };
  const auto line_of = [](const std::vector<std::string>& lines, const std::string& key) {
    return std::find_if(lines.begin(), lines.end(), [&](const std::string& line) { return key_and_value(line).first == key; });
  };
  for (const std::string& line : then) {
    const auto [key, value] = key_and_value(line);
    const auto found = line_of(now, key);
    if (found == now.end())
      add(key, value, "not there");
    else if (*found != line)
      add(key, value, key_and_value(*found).second);
  }
  for (const std::string& line : now) {
    const auto [key, value] = key_and_value(line);
    if (line_of(then, key) == then.end()) add(key, "not there", value);
  }
  return text;
}

}  // namespace lathe::experiments
