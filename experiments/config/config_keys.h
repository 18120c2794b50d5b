// The one table of all config keys. Reading a file, refusing unknown keys, writing the resolved config and the JSON Schema all come
// from it, so a new key is one line there and one member of ExperimentConfig.
#pragma once

#include <yaml-cpp/node/node.h>

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "experiments/config/config_document.h"
#include "experiments/config/experiment_config.h"

namespace lathe::experiments {

struct ConfigKey {
  std::string path;  // "search.trials"
  std::string help;  // one line, for the schema
  // Takes the value from the file; notes faults in the document.
  std::function<void(ConfigDocument&, const std::string& path, const YAML::Node&, ExperimentConfig&)> read;
  std::function<YAML::Node(const ExperimentConfig&)> write;  // the value as it would stand in a file
  std::function<nlohmann::json()> schema;                    // JSON Schema of the value, without help and default
};

// In the order in which a config reads best; sections are those prefixes that some path has.
const std::vector<ConfigKey>& config_keys();

}  // namespace lathe::experiments
