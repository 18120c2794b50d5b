#include "experiments/config/stage_entries.h"

#include "experiments/config/config_values.h"

namespace lathe::experiments {
namespace {

using evaluators::RecoveryStage;

const Rule kParts{.choices = {"channels", "sparsity", "widths"}};
const Rule kEpochs{.at_least = 0, .at_most = 1e5}, kRate{.at_least = 0, .at_most = 100}, kSteps{.at_least = 1, .at_most = 1000};

void read_field(ConfigDocument& document, const std::string& path, const YAML::Node& name, const YAML::Node& value, RecoveryStage& stage) {
  const std::string field = name.Scalar();
  std::string part;
  if (field == "part") {
    if (read_value(document, path, value, kParts, part)) stage.part = evaluators::parse_policy_part(part);
  } else if (field == "epochs") {
    read_value(document, path, value, kEpochs, stage.epochs);
  } else if (field == "learning_rate") {
    read_value(document, path, value, kRate, stage.learning_rate);
  } else if (field == "steps") {
    read_value(document, path, value, kSteps, stage.steps);
  } else {
    document.fault(path, name, "unknown key, expected one of part, epochs, learning_rate, steps");
  }
}

}  // namespace

void read_stages(ConfigDocument& document, const std::string& path, const YAML::Node& node, std::vector<RecoveryStage>& stages) {
  if (!node.IsSequence()) {
    document.fault(path, node, "expected a list of stages {part, epochs, learning_rate, steps}", text_of(node));
    return;
  }
  std::vector<RecoveryStage> read;
  for (std::size_t i = 0; i < node.size(); ++i) {
    const std::string at = path + "[" + std::to_string(i) + "]";
    RecoveryStage& stage = read.emplace_back();
    if (!node[i].IsMap() || !node[i]["part"].IsDefined()) {
      document.fault(at, node[i], "expected a map with 'part', one of " + join(kParts.choices), text_of(node[i]));
      return;
    }
    for (const auto& entry : node[i]) read_field(document, at + "." + entry.first.Scalar(), entry.first, entry.second, stage);
  }
  for (const Fault& fault : evaluators::faults_of(read)) document.fault("recover." + fault.key, node, fault.expected, fault.got);
  stages = std::move(read);
}

YAML::Node write_stages(const std::vector<RecoveryStage>& stages) {
  YAML::Node list(YAML::NodeType::Sequence);
  for (const RecoveryStage& stage : stages) {
    YAML::Node entry;
    entry["part"] = evaluators::to_string(stage.part);
    entry["epochs"] = stage.epochs;
    entry["learning_rate"] = stage.learning_rate;
    entry["steps"] = stage.steps;
    entry.SetStyle(YAML::EmitterStyle::Flow);
    list.push_back(entry);
  }
  if (stages.empty()) list.SetStyle(YAML::EmitterStyle::Flow);
  return list;
}

nlohmann::json stages_schema() {
  const nlohmann::json properties{{"part", schema_of<std::string>(kParts)},
                                  {"epochs", schema_of<double>(kEpochs)},
                                  {"learning_rate", schema_of<double>(kRate)},
                                  {"steps", schema_of<int>(kSteps)}};
  const nlohmann::json stage{{"type", "object"}, {"properties", properties}, {"required", {"part"}}, {"additionalProperties", false}};
  return {{"type", "array"}, {"items", stage}};
}

}  // namespace lathe::experiments
