#include "experiments/config/special_keys.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "experiments/config/agent_entries.h"
#include "experiments/config/config_values.h"
#include "experiments/config/device_limits.h"
#include "experiments/config/stage_entries.h"

namespace lathe::experiments {

ConfigKey model_key() {
  const Rule rule{};
  return {.path = "model",
          .help = "The trained network: the path of its ONNX file.",
          .read =
              [rule](ConfigDocument& document, const std::string& at, const YAML::Node& node, ExperimentConfig& config) {
                if (!node.IsMap()) {
                  read_value(document, at, node, rule, config.model);
                  return;
                }
                for (const auto& entry : node) {
                  const std::string name = entry.first.Scalar();
                  if (name == "path")
                    read_value(document, at + ".path", entry.second, rule, config.model);
                  else
                    document.fault(at + "." + name, entry.first, "unknown key; 'model' knows only 'path'");
                }
              },
          .write = [](const ExperimentConfig& config) { return YAML::Node(config.model); },
          .schema =
              [] {
                const nlohmann::json path{{"type", "string"}};
                const nlohmann::json section{
                    {"type", "object"}, {"properties", {{"path", path}}}, {"required", {"path"}}, {"additionalProperties", false}};
                return nlohmann::json{{"oneOf", nlohmann::json::array({path, section})}};
              }};
}

ConfigKey limit_key(std::string path, DeviceLimit ConstraintsConfig::*member, std::string help) {
  return {.path = std::move(path),
          .help = std::move(help),
          .read = [member](ConfigDocument& document, const std::string& at, const YAML::Node& node,
                           ExperimentConfig& config) { read_device_limit(document, at, node, config.constraints.*member); },
          .write = [member](const ExperimentConfig& config) { return write_device_limit(config.constraints.*member); },
          .schema = [] { return device_limit_schema(); }};
}

ConfigKey agents_key() {
  return {.path = "search.agents",
          .help = "The algorithms that search together: names of kinds, or maps of kind, name and the kind's own options.",
          .read = [](ConfigDocument& document, const std::string& at, const YAML::Node& node,
                     ExperimentConfig& config) { read_agents(document, at, node, config.search.agents); },
          .write = [](const ExperimentConfig& config) { return write_agents(config.search.agents); },
          .schema = [] { return agents_schema(); }};
}

ConfigKey stages_key() {
  return {.path = "recover.stages",
          .help =
              "What is made real and trained in turn, each {part: channels | sparsity | widths, epochs, learning_rate, steps}; steps: of "
              "the cubic schedule to the sparsity. Empty = fine_tune_epochs, then qat_epochs.",
          .read = [](ConfigDocument& document, const std::string& at, const YAML::Node& node,
                     ExperimentConfig& config) { read_stages(document, at, node, config.recover.recovery.stages); },
          .write = [](const ExperimentConfig& config) { return write_stages(config.recover.recovery.stages); },
          .schema = [] { return stages_schema(); }};
}

}  // namespace lathe::experiments
