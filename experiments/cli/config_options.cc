#include "experiments/cli/config_options.h"

namespace lathe::cli {

void ConfigOptions::add_to(CLI::App& command) {
  command.add_option("CONFIG", file, "Config file (YAML)")->required();
  command.add_option("--set", overrides, "Override a key, as often as wanted: path=value")
      ->allow_extra_args(false)
      ->type_name("PATH=VALUE");
}

experiments::ExperimentConfig ConfigOptions::load(experiments::ConfigPurpose purpose) const {
  return experiments::load_config(file, overrides, purpose);
}

CLI::Validator not_empty() {
  return {[](const std::string& text) { return text.empty() ? std::string("expected a path, got none") : std::string(); }, ""};
}

}  // namespace lathe::cli
