#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "experiments/cli/command.h"
#include "experiments/cli/policy_file.h"
#include "experiments/predictions.h"

namespace lathe::cli {
namespace {

struct Options {
  std::string model, device, policy;
  int batch = 1;
  bool wants_json = false;
};

int latency(const Options& options) {
  const auto hardware = hwmodels::make_hardware_model(hwmodels::load_device(options.device));
  const policies::Policy policy = options.policy.empty() ? policies::Policy{} : policies::read_policy(options.policy);
  const hwmodels::Prediction prediction = experiments::predict_file(options.model, *hardware, &policy, options.batch);
  if (options.wants_json)
    print_json(experiments::prediction_json(prediction, hardware->device(), options.batch));
  else
    std::cout << experiments::prediction_text(prediction, hardware->device(), options.batch);
  return 0;
}

}  // namespace

void add_latency(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "latency", "Predict latency, energy and memory on a device, layer by layer",
                                  "lathe latency net.onnx --device raspberry-pi-4 --policy runs/quickstart/policies/001.json");
  command->add_option("MODEL", options->model, "ONNX file")->required();
  command->add_option("--device", options->device, "Name (see `lathe devices`) or file")->required();
  command->add_option("--policy", options->policy, "Policy file; the float network without it");
  command->add_option("--batch", options->batch, "Batch size")->check(CLI::Range(1, 65536))->capture_default_str();
  command->add_flag("--json", options->wants_json, "JSON alone on standard output");
  command->callback(
      [&action, options] { action = [options] { return blaming_policy_file(options->policy, [&] { return latency(*options); }); }; });
}

}  // namespace lathe::cli
