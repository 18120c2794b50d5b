#include <iostream>
#include <memory>

#include "experiments/cli/command.h"
#include "experiments/cli/config_options.h"
#include "models/onnx_reader.h"

namespace lathe::cli {
namespace {

int validate(const ConfigOptions& options) {
  const experiments::ConfigPurpose purpose = experiments::purpose_of(options.file, options.overrides);
  const experiments::ExperimentConfig config = options.load(purpose);
  const bool trains = purpose == experiments::ConfigPurpose::kTrain;
  if (!trains) models::read_onnx(config.model);
  std::cout << "# " << options.file << " is right" << (trains ? ", for lathe train" : "") << ". With everything filled in:\n"
            << experiments::to_yaml(config, purpose);
  return 0;
}

}  // namespace

void add_validate(CLI::App& app, Action& action) {
  auto options = std::make_shared<ConfigOptions>();
  CLI::App* command =
      add_command(app, "validate", "Check a config (to search or to train), its devices and its network, and print it with all defaults",
                  "lathe validate configs/quickstart.yaml --set search.trials=40");
  options->add_to(*command);
  command->callback([&action, options] { action = [options] { return validate(*options); }; });
}

}  // namespace lathe::cli
