#include <iostream>
#include <memory>

#include "experiments/cli/command.h"
#include "experiments/cli/config_options.h"
#include "experiments/config/paths.h"
#include "experiments/interruption.h"
#include "experiments/train_run.h"

namespace lathe::cli {
namespace {

struct Options {
  ConfigOptions config;
  std::string output;
};

int train(const Options& options) {
  const experiments::ExperimentConfig config = options.config.load(experiments::ConfigPurpose::kTrain);
  const std::string output = options.output.empty() ? experiments::expand_environment(config.model).text : options.output;
  experiments::watch_for_interruption();
  experiments::Progress progress(std::cerr, experiments::Progress::fitting_style());
  const experiments::TrainOutcome outcome = experiments::run_training(config, output, progress);
  if (!outcome.is_finished) {
    std::cerr << "stopped; nothing was written\n";
    return 1;
  }
  std::cout << outcome.summary;
  std::cout.flush();
  std::cerr << "ONNX file: " << output << '\n';
  return 0;
}

}  // namespace

void add_train(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "train", "Train a small residual network where you have none",
                                  "lathe train configs/train/fashion_resnet.yaml --out net.onnx");
  options->config.add_to(*command);
  command->add_option("--out", options->output, "ONNX file to write (else the config's `model`)")->check(not_empty());
  command->callback([&action, options] { action = [options] { return train(*options); }; });
}

}  // namespace lathe::cli
