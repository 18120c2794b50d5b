// Config files: reading with every fault at once, writing back as resolved, and their JSON Schema.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "experiments/config/experiment_config.h"

namespace lathe::experiments {

// What the config is for: a search needs devices and a model that is there; training makes the model.
enum class ConfigPurpose { kSearch, kTrain };

// What the file is for by what it holds: `train` without `devices` can only train. Throws UserError as `load_config` does where it cannot
// be read at all.
ConfigPurpose purpose_of(const std::string& path, const std::vector<std::string>& overrides = {});

// Reads `path` with the `--set` overrides over it. Paths in it may hold ${NAME} or ${NAME:-fallback} of the environment; relative ones are
// looked for from the current directory, then from the config's folder, and become absolute. Throws UserError with all faults: unknown
// keys (with the nearest spelling), wrong types and values, missing keys, files and devices that do not exist.
ExperimentConfig load_config(const std::string& path, const std::vector<std::string>& overrides = {},
                             ConfigPurpose purpose = ConfigPurpose::kSearch);
// The same for text; `label` stands for the file.
ExperimentConfig parse_config(const std::string& text, const std::string& label, const std::vector<std::string>& overrides = {},
                              ConfigPurpose purpose = ConfigPurpose::kSearch);

// As YAML with every key that the purpose has, defaults included. Reading it back gives the same config.
std::string to_yaml(const ExperimentConfig& config, ConfigPurpose purpose = ConfigPurpose::kSearch);

// What steers the trials of a search, as "key: value" lines: the resolved config without what may change between a run and its resumption
// (output, threads, recovery, training, the loss that a recommended policy may have), and with the contents of the model file.
std::vector<std::string> trial_settings(const ExperimentConfig& config, const std::string& model_sha256);
// The same of what all searches of a study must have in common.
std::vector<std::string> study_settings(const ExperimentConfig& config, const std::string& model_sha256);

// What, besides its trial, a delivered policy depends on.
std::vector<std::string> recovery_settings(const ExperimentConfig& config);

nlohmann::json config_schema();

}  // namespace lathe::experiments
