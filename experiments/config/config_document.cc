#include "experiments/config/config_document.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lathe::experiments {
namespace {

std::string read_text(const std::string& path) {
  if (std::filesystem::is_directory(path)) throw UserError(Fault{.file = path, .expected = "is a folder, expected a config file"});
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  // An empty file sets failbit on the stream it is copied to, so only the source is asked.
  if (file) text << file.rdbuf();
  if (!file || file.bad()) throw UserError(Fault{.file = path, .expected = "expected a config file that can be read"});
  return text.str();
}

// One step of a key path: a name, or an index of a sequence.
struct Step {
  std::string name;
  std::size_t index = 0;
  bool is_index = false;
};

// "search.agents[1].kind" -> search, agents, 1, kind. Empty where it is malformed.
std::vector<Step> split_path(const std::string& path) {
  std::vector<Step> steps;
  if (path.ends_with('.')) return {};
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '.');) {
    const std::size_t bracket = part.find('[');
    const std::string name = part.substr(0, bracket);
    if (name.empty()) return {};
    steps.push_back({.name = name});
    for (std::size_t at = bracket; at != std::string::npos && at < part.size();) {
      const std::size_t end = part.find(']', at);
      Step step{.is_index = true};
      if (part[at] != '[' || end == std::string::npos) return {};
      const auto [rest, error] = std::from_chars(part.data() + at + 1, part.data() + end, step.index);
      if (error != std::errc() || rest != part.data() + end) return {};
      steps.push_back(step);
      at = end + 1;
    }
  }
  return steps;
}

bool is_under(const std::string& key, const std::string& prefix) {
  return key.starts_with(prefix) && (key.size() == prefix.size() || key[prefix.size()] == '.' || key[prefix.size()] == '[');
}

}  // namespace

ConfigDocument::ConfigDocument(const std::string& path, const std::vector<std::string>& overrides)
    : ConfigDocument(path, read_text(path), overrides) {}

ConfigDocument::ConfigDocument(std::string label, const std::string& text, const std::vector<std::string>& overrides)
    : label_(std::move(label)) {
  parse(text);
  for (const std::string& override_text : overrides) apply(override_text);
}

void ConfigDocument::parse(const std::string& text) {
  std::vector<YAML::Node> documents;
  try {
    documents = YAML::LoadAll(text);
  } catch (const YAML::Exception& error) {
    throw UserError(
        Fault{.file = label_, .line = error.mark.is_null() ? 0 : error.mark.line + 1, .expected = "not valid YAML: " + error.msg});
  }
  if (documents.size() > 1) {
    throw UserError(
        Fault{.file = label_, .line = documents[1].Mark().line + 1, .expected = "a second YAML document begins here, expected one"});
  }
  if (!documents.empty()) root_ = documents[0];
  if (root_.IsNull() || (root_.IsMap() && root_.size() == 0)) {
    throw UserError(Fault{.file = label_, .expected = "the config is empty; configs/ holds examples, lathe schema lists the keys"});
  }
  if (!root_.IsMap()) throw UserError(Fault{.file = label_, .line = 1, .expected = "expected 'key: value' lines (a YAML map)"});
}

void ConfigDocument::apply(const std::string& override_text) {
  const std::string label = "--set " + override_text;
  const std::size_t equals = override_text.find('=');
  const std::vector<Step> steps = equals == std::string::npos ? std::vector<Step>{} : split_path(override_text.substr(0, equals));
  if (steps.empty()) throw UserError(Fault{.file = label, .expected = "expected path=value, for example search.trials=40"});

  YAML::Node value;
  try {
    value = YAML::Load(override_text.substr(equals + 1));
  } catch (const YAML::Exception& error) {
    throw UserError(Fault{.file = label, .expected = "the value is not valid YAML: " + error.msg});
  }
  YAML::Node node = root_;
  for (const Step& step : steps) {
    if (step.is_index) {
      if (!node.IsSequence() || step.index >= node.size())
        throw UserError(Fault{.file = label,
                              .expected = "expected an index of a list that has " + std::to_string(node.IsSequence() ? node.size() : 0) +
                                          " entries, got '" + std::to_string(step.index) + "'"});
      node.reset(node[step.index]);
    } else {
      if (node.IsDefined() && !node.IsNull() && !node.IsMap())
        throw UserError(Fault{.file = label, .expected = "'" + step.name + "' lies below a key that holds no keys of its own"});
      node.reset(node[step.name]);
    }
  }
  node = value;
  overridden_.push_back(override_text.substr(0, equals));
  override_texts_.push_back(override_text);
}

YAML::Node ConfigDocument::at(const std::string& key) const {
  YAML::Node node = root_;
  std::istringstream parts(key);
  for (std::string part; std::getline(parts, part, '.');) {
    if (!node.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
    const YAML::Node& constant = node;  // operator[] of a non-const node would add the key
    const YAML::Node next = constant[part];
    if (!next.IsDefined()) return YAML::Node(YAML::NodeType::Undefined);
    node.reset(next);
  }
  return node;
}

void ConfigDocument::fault(const std::string& key, const YAML::Node& node, const std::string& expected, const std::string& got) {
  Fault fault{.file = label_, .key = key, .expected = expected, .got = got};
  const bool has_line = node.IsDefined() && !node.Mark().is_null();
  // A section that is in no file was made by the override of a key in it.
  const auto by_override = std::find_if(overridden_.rbegin(), overridden_.rend(), [&](const std::string& prefix) {
    return is_under(key, prefix) || (!has_line && is_under(prefix, key));
  });
  if (by_override != overridden_.rend()) {
    fault.file = "--set " + override_texts_[static_cast<std::size_t>(overridden_.rend() - by_override) - 1];
  } else if (has_line) {
    fault.line = node.Mark().line + 1;
  }
  faults_.push_back(fault);
}

void ConfigDocument::fault(const std::string& key, const std::string& expected, const std::string& got) {
  // The innermost section that is there says at least where to look.
  std::string path = key.substr(0, key.find('['));
  YAML::Node node = at(path);
  while (!node.IsDefined() && path.find('.') != std::string::npos) {
    path.resize(path.rfind('.'));
    node.reset(at(path));
  }
  fault(key, node, expected, got);
}

void ConfigDocument::throw_faults() const {
  if (faults_.empty()) return;
  std::vector<Fault> sorted = faults_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Fault& a, const Fault& b) { return a.line < b.line; });
  throw UserError(sorted);
}

}  // namespace lathe::experiments
