// What every command that takes a config shares: the file, `--set` and `--seed`.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/config/config.h"

namespace lathe::cli {

struct ConfigOptions {
  std::string file;
  std::vector<std::string> overrides;  // of --set, then those of the command's own options
  void add_to(CLI::App& command);
  experiments::ExperimentConfig load(experiments::ConfigPurpose purpose = experiments::ConfigPurpose::kSearch) const;
};

// For paths on the command line: a script's variable may be empty by mistake.
CLI::Validator not_empty();

}  // namespace lathe::cli
