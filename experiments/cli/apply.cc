#include <iostream>
#include <memory>

#include "experiments/application.h"
#include "experiments/cli/command.h"
#include "experiments/cli/log.h"
#include "experiments/cli/policy_file.h"

namespace lathe::cli {
namespace {

struct Options {
  std::string model, policy, output;
  bool is_masked = false;
};

int apply(const Options& options) {
  const experiments::Application done = experiments::apply_policy(
      options.model, options.policy, options.is_masked ? experiments::Pruning::kMask : experiments::Pruning::kCut, options.output);
  if (!done.note.empty()) log_warning(done.note);
  std::cerr << options.output << ": " << done.summary << '\n';
  return 0;
}

}  // namespace

void add_apply(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "apply", "Cut the channels that a policy removes and zero its sparse weights; no data needed",
                                  "lathe apply net.onnx --policy policy.json --out small.onnx");
  command->add_option("MODEL", options->model, "ONNX file")->required();
  command->add_option("--policy", options->policy, "Policy file")->required();
  command->add_option("--out", options->output, "ONNX file to write")->required();
  command->add_flag("--masked", options->is_masked, "Keep all shapes and put zeros for what is removed");
  command->callback(
      [&action, options] { action = [options] { return blaming_policy_file(options->policy, [&] { return apply(*options); }); }; });
}

}  // namespace lathe::cli
