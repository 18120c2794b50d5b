#include "experiments/config/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "experiments/config/config_document.h"
#include "experiments/config/config_keys.h"
#include "experiments/config/config_values.h"
#include "experiments/config/paths.h"
#include "hwmodels/device_spec.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

const ConfigKey* find_key(const std::string& path) {
  const auto& keys = config_keys();
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const ConfigKey& key) { return key.path == path; });
  return found == keys.end() ? nullptr : &*found;
}

// Names that may follow `section` ("" for the top), in the table's order.
std::vector<std::string> names_below(const std::string& section) {
  std::vector<std::string> names;
  const std::string prefix = section.empty() ? "" : section + ".";
  for (const ConfigKey& key : config_keys()) {
    if (!key.path.starts_with(prefix)) continue;
    const std::string name = key.path.substr(prefix.size(), key.path.find('.', prefix.size()) - prefix.size());
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

std::string unknown_key_hint(const std::string& section, const std::string& name) {
  const std::vector<std::string> legal = names_below(section);
  if (const std::string near = nearest_spelling(name, legal); !near.empty()) return "unknown key, did you mean '" + near + "'?";
  // A key that stands one section too high or too low is the commonest other mistake.
  for (const ConfigKey& key : config_keys())
    if (key.path.ends_with("." + name)) return "unknown key here, did you mean '" + key.path + "'?";
  return "unknown key, expected one of " + join(legal);
}

void read_section(ConfigDocument& document, const std::string& section, const YAML::Node& node, ExperimentConfig& config) {
  const std::vector<std::string> legal = names_below(section);
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : text_of(entry.first);
    const std::string path = section.empty() ? name : section + "." + name;
    if (!entry.second.IsDefined()) continue;
    if (!seen.insert(name).second) {
      document.fault(path, entry.first, "the key stands here a second time");
    } else if (const ConfigKey* key = find_key(path)) {
      key->read(document, path, entry.second, config);
    } else if (std::find(legal.begin(), legal.end(), name) == legal.end()) {
      document.fault(path, entry.first, unknown_key_hint(section, name));
    } else if (entry.second.IsMap()) {
      read_section(document, path, entry.second, config);
    } else if (!entry.second.IsNull()) {
      document.fault(path, entry.second, "expected a section with keys " + join(names_below(path)), text_of(entry.second));
    }
  }
}

// Expands and resolves a path in place; notes a fault where it does not exist.
void resolve(ConfigDocument& document, const std::string& key, const std::string& what, std::string& path) {
  const Expansion expanded = expand_environment(path);
  if (!expanded.missing.empty()) {
    document.fault(key, "the environment variable " + expanded.missing + " is not set", path);
    return;
  }
  const fs::path found = find_from(expanded.text, fs::path(document.label()).parent_path());
  if (found.empty())
    document.fault(key, "no such " + what, expanded.text);
  else
    path = found.string();
}

void require(ConfigDocument& document, const std::string& key, const std::string& expected) {
  if (!document.at(key).IsDefined()) document.fault(key, "missing; expected " + expected);
}

void check_devices(ConfigDocument& document, ExperimentConfig& config) {
  if (config.devices.empty() && !document.at("devices").IsDefined())
    document.fault("devices", "missing; expected a list of devices, see `lathe devices`");
  std::set<std::string> names;
  for (std::size_t i = 0; i < config.devices.size(); ++i) {
    const std::string path = "devices[" + std::to_string(i) + "]";
    YAML::Node node = document.at("devices");
    if (node.IsSequence() && i < node.size()) node.reset(node[i]);
    std::string& device = config.devices[i];
    const Expansion expanded = expand_environment(device);
    const fs::path file = find_from(expanded.text, fs::path(document.label()).parent_path());
    if (!file.empty() && fs::is_regular_file(file)) device = file.string();
    try {
      if (!names.insert(hwmodels::load_device(device).name).second) document.fault(path, node, "the device is listed twice", device);
    } catch (const UserError& error) {
      for (const Fault& fault : error.faults()) {
        const bool is_of_file = !fault.file.empty() && fault.line > 0;
        document.fault(path, node, is_of_file ? to_string(fault) : fault.expected,
                       is_of_file ? "" : (fault.got.empty() ? device : fault.got));
      }
    }
  }
  for (const auto& [key, limit] : {std::pair{"constraints.latency_ms", &config.constraints.latency_ms},
                                   std::pair{"constraints.energy_mj", &config.constraints.energy_mj}}) {
    for (const auto& [device, value] : limit->by_device) {
      if (!names.contains(device))
        document.fault(std::string(key) + "." + device, "not one of this config's devices: " + join({names.begin(), names.end()}));
    }
  }
}

void check_objectives(ConfigDocument& document, const ExperimentConfig& config) {
  const std::set<std::string> different(config.objectives.begin(), config.objectives.end());
  if (different.size() != config.objectives.size()) document.fault("objectives", "an objective is listed twice");
  if (!different.contains("accuracy") || (different.size() < 2 && !config.constraints.limits_something()))
    document.fault("objectives",
                   "expected accuracy and at least one of latency_ms, energy_mj, packed_bytes, macs, unless constraints limit one of them");
}

void check_study(ConfigDocument& document, const ExperimentConfig& config) {
  if (config.study.url.empty()) return;
  if (config.study.name.empty()) document.fault("study.name", "missing; searches of one name share their trials");
  if (!config.search.asynchronous)
    document.fault("study.url", "needs search.asynchronous: true, since what other searches measure comes when it comes");
  if (!config.search.warm_start.empty()) document.fault("search.warm_start", "a study's trials are shared already");
}

void check_halving(ConfigDocument& document, const ExperimentConfig& config) {
  if (config.search.halving.factor == 0) return;
  if (config.search.halving.factor == 1) document.fault("search.halving.factor", "expected 0 (off), or at least 2");
  if (config.search.asynchronous) document.fault("search.halving.factor", "needs search.asynchronous: false, which has no rounds to halve");
  if (config.search.racing)
    document.fault("search.halving.factor", "not together with search.racing: true, which stops policies by itself");
}

void check_measured_feedback(ConfigDocument& document, const ExperimentConfig& config) {
  if (config.search.measured_feedback.every > 0 && config.search.asynchronous)
    document.fault("search.measured_feedback.every", "not together with search.asynchronous: true, which has no end of a part");
}

void check(ConfigDocument& document, ExperimentConfig& config, ConfigPurpose purpose) {
  require(document, "model", purpose == ConfigPurpose::kTrain ? "the path of the ONNX file to write" : "the path of an ONNX file");
  if (!config.model.empty() && purpose == ConfigPurpose::kSearch) resolve(document, "model", "file", config.model);
  if (config.evaluator.kind == "command") {
    if (config.evaluator.command.empty()) document.fault("evaluator.command", "missing; kind 'command' needs the program to start");
  } else if (config.evaluator.kind == "builtin") {
    require(document, "data.kind", "one of idx, cifar10, image_folder, npy, detection");
    require(document, "data.path", "the folder of the data set");
  }
  if (!config.data.path.empty()) resolve(document, "data.path", "folder", config.data.path);
  if (config.data.mean.size() != config.data.stddev.size())
    document.fault("data.stddev", "expected as many entries as data.mean has (" + std::to_string(config.data.mean.size()) + ")");
  if (purpose == ConfigPurpose::kTrain) return;
  check_devices(document, config);
  check_objectives(document, config);
  check_study(document, config);
  if (config.search.racing && config.search.asynchronous)
    document.fault("search.racing", "needs search.asynchronous: false, where it is settled beforehand what a policy has to beat");
  check_halving(document, config);
  check_measured_feedback(document, config);
  if (!config.search.warm_start.empty()) resolve(document, "search.warm_start", "folder", config.search.warm_start);
  if (!config.search.pretrained.empty()) resolve(document, "search.pretrained", "folder", config.search.pretrained);
}

ExperimentConfig read(ConfigDocument& document, ConfigPurpose purpose) {
  ExperimentConfig config;
  config.file = document.label();
  read_section(document, "", document.root(), config);
  check(document, config, purpose);
  document.throw_faults();
  if (config.output.empty()) config.output = (fs::path("runs") / fs::path(document.label()).stem()).string();
  return config;
}

// Puts `value` at a dotted path of a map.
void put(YAML::Node root, const std::string& path, const YAML::Node& value) {
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos) {
    root[path] = value;
    return;
  }
  const std::string section = path.substr(0, dot);
  if (!root[section].IsMap()) root[section] = YAML::Node(YAML::NodeType::Map);
  put(root[section], path.substr(dot + 1), value);
}

bool steers_training(const std::string& key) {
  return key == "model" || key == "seed" || key.starts_with("data.") || key.starts_with("train.");
}

bool steers_trials(const std::string& key) {
  return key != "output" && key != "search.threads" && key != "evaluator.cache" && key != "constraints.accuracy_loss" &&
         !key.starts_with("recover.") && !key.starts_with("train.") && !key.starts_with("study.") && key != "model";
}

// What makes trials of different searches comparable: all that steers them but who searches, how and how long.
bool is_common_to_study(const std::string& key) {
  return steers_trials(key) && key != "seed" && (!key.starts_with("search.") || key == "search.accuracy_range");
}

// The keys that `is_wanted`, as "key: value" lines.
std::vector<std::string> settings_lines(const ExperimentConfig& config, bool (*is_wanted)(const std::string&)) {
  std::vector<std::string> lines;
  for (const ConfigKey& key : config_keys()) {
    if (!is_wanted(key.path)) continue;
    YAML::Emitter emitter;
    emitter << YAML::Flow << key.write(config);
    lines.push_back(key.path + ": " + emitter.c_str());
  }
  return lines;
}

}  // namespace

ExperimentConfig load_config(const std::string& path, const std::vector<std::string>& overrides, ConfigPurpose purpose) {
  ConfigDocument document(path, overrides);
  return read(document, purpose);
}

ExperimentConfig parse_config(const std::string& text, const std::string& label, const std::vector<std::string>& overrides,
                              ConfigPurpose purpose) {
  ConfigDocument document(label, text, overrides);
  return read(document, purpose);
}

ConfigPurpose purpose_of(const std::string& path, const std::vector<std::string>& overrides) {
  const ConfigDocument document(path, overrides);
  const bool trains = document.at("train").IsDefined() && !document.at("devices").IsDefined();
  return trains ? ConfigPurpose::kTrain : ConfigPurpose::kSearch;
}

std::string to_yaml(const ExperimentConfig& config, ConfigPurpose purpose) {
  YAML::Node root(YAML::NodeType::Map);
  for (const ConfigKey& key : config_keys()) {
    if (purpose == ConfigPurpose::kTrain && !steers_training(key.path)) continue;
    const YAML::Node value = key.write(config);
    const bool is_unset_text = value.IsScalar() && value.Scalar().empty();
    if (!value.IsNull() && !is_unset_text) put(root, key.path, value);
  }
  YAML::Emitter emitter;
  emitter << root;
  return std::string(emitter.c_str()) + "\n";
}

namespace {

// Older stores do not know these keys; what they did:
void without_later_keys(const ExperimentConfig& config, std::vector<std::string>& lines) {
  for (const char* line : {"search.asynchronous: false", "search.allocation: equal", "search.measured_feedback.every: 0",
                           "search.measured_feedback.policies: 8", "space.sparsity: []", "space.sparsity_pattern: unstructured",
                           "evaluator.weight_ranges: mse", "evaluator.equalization: none", "evaluator.sparsification: magnitude",
                           "evaluator.bias_correction: false", "evaluator.device: cpu", "space.dynamic_activations: false",
                           "search.racing: false", "search.halving.factor: 0", "search.halving.rungs: 2", "space.depth: false",
                           "space.rank_ratios: []", "space.token_keep_ratios: []", "delivery.integer_types: int8"})
    std::erase(lines, line);
  for (const auto& [key, is_set] : {std::pair{"constraints.macs: ", config.constraints.macs.has_value()},
                                    std::pair{"search.warm_start: ", !config.search.warm_start.empty()},
                                    std::pair{"search.pretrained: ", !config.search.pretrained.empty()}})
    if (!is_set) std::erase_if(lines, [key = key](const std::string& line) { return line.starts_with(key); });
}

}  // namespace

std::vector<std::string> trial_settings(const ExperimentConfig& config, const std::string& model_sha256) {
  std::vector<std::string> lines = settings_lines(config, steers_trials);
  without_later_keys(config, lines);
  lines.insert(lines.begin(), "model: sha256 " + model_sha256);
  return lines;
}

std::vector<std::string> study_settings(const ExperimentConfig& config, const std::string& model_sha256) {
  std::vector<std::string> lines = settings_lines(config, is_common_to_study);
  without_later_keys(config, lines);
  lines.insert(lines.begin(), "model: sha256 " + model_sha256);
  return lines;
}

std::vector<std::string> recovery_settings(const ExperimentConfig& config) {
  // How often work is kept changes none of it; older runs know no features.
  std::vector<std::string> lines =
      settings_lines(config, [](const std::string& key) { return key.starts_with("recover.") && key != "recover.checkpoint_seconds"; });
  std::erase(lines, "recover.feature_distillation: 0");
  return lines;
}

nlohmann::json config_schema() {
  const ExperimentConfig defaults;
  const auto needs = [](const char* name) { return nlohmann::json{{"required", nlohmann::json::array({name})}}; };
  nlohmann::json schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                        {"title", "Lathe experiment"},
                        {"type", "object"},
                        {"additionalProperties", false},
                        {"required", {"model"}},
                        // To search, or to train a network (see purpose_of).
                        {"anyOf", nlohmann::json::array({needs("devices"), needs("train")})}};
  for (const ConfigKey& key : config_keys()) {
    nlohmann::json* section = &schema;
    std::string rest = key.path;
    for (std::size_t dot; (dot = rest.find('.')) != std::string::npos; rest = rest.substr(dot + 1)) {
      section = &(*section)["properties"][rest.substr(0, dot)];
      (*section)["type"] = "object";
      (*section)["additionalProperties"] = false;
    }
    nlohmann::json value = key.schema();
    value["description"] = key.help;
    const YAML::Node otherwise = key.write(defaults);
    if (otherwise.IsScalar() && !otherwise.Scalar().empty()) {
      const std::string& text = otherwise.Scalar();
      const nlohmann::json parsed = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
      value["default"] = parsed.is_discarded() ? nlohmann::json(text) : parsed;
    }
    (*section)["properties"][rest] = value;
  }
  return schema;
}

}  // namespace lathe::experiments
