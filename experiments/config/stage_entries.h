// The `recover.stages` list of a config.
#pragma once

#include <yaml-cpp/node/node.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "evaluators/recovery.h"
#include "experiments/config/config_document.h"

namespace lathe::experiments {

// Each entry is a map {part: channels | sparsity | widths, epochs, learning_rate, steps}; parts come in that order, each at most once.
void read_stages(ConfigDocument& document, const std::string& path, const YAML::Node& node, std::vector<evaluators::RecoveryStage>& stages);
YAML::Node write_stages(const std::vector<evaluators::RecoveryStage>& stages);
nlohmann::json stages_schema();

}  // namespace lathe::experiments
