#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "experiments/application.h"
#include "experiments/cli/command.h"
#include "experiments/cli/config_options.h"
#include "experiments/cli/log.h"
#include "experiments/cli/policy_file.h"
#include "experiments/compress_run.h"
#include "experiments/interruption.h"
#include "experiments/progress.h"

namespace lathe::cli {
namespace {

struct Options {
  ConfigOptions config;
  std::string policy, output;
  bool wants_json = false;
};

int compress(const Options& options) {
  experiments::watch_for_interruption();
  experiments::Progress progress(std::cerr, experiments::Progress::fitting_style());
  const experiments::CompressOutcome outcome =
      experiments::run_compression(options.config.load(), policies::read_policy(options.policy), options.output, progress);
  if (!outcome.is_finished) {
    std::cerr << "stopped; nothing was written\n";
    return 1;
  }
  if (options.wants_json)
    std::cout << outcome.metrics;
  else
    std::cout << outcome.summary;
  std::cout.flush();
  std::cerr << "ONNX file: " << outcome.model << "\npolicy: " << outcome.policy << '\n';
  return 0;
}

}  // namespace

void add_compress(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "compress", "Build a policy into an ONNX file: cut, calibrate, recover, verify, write",
                                  "lathe compress configs/quickstart.yaml --policy runs/quickstart/policies/001.json --out small");
  options->config.add_to(*command);
  command->add_option("--policy", options->policy, "Policy file")->required();
  command->add_option("--out", options->output, "Folder for the ONNX file and the policy with its metrics")->required();
  command->add_flag("--json", options->wants_json, "JSON alone on standard output");
  command->callback(
      [&action, options] { action = [options] { return blaming_policy_file(options->policy, [&] { return compress(*options); }); }; });
}

}  // namespace lathe::cli
