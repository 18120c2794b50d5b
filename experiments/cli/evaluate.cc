#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "experiments/application.h"
#include "experiments/cli/command.h"
#include "experiments/cli/config_options.h"
#include "experiments/cli/log.h"
#include "experiments/cli/policy_file.h"
#include "experiments/evaluation_service.h"
#include "experiments/text_table.h"
#include "models/base/error.h"

namespace lathe::cli {
namespace {

struct Options {
  ConfigOptions config;
  std::string policy, split = "test";
  bool reads_stdin = false, wants_json = false;
};

std::string summary(const nlohmann::json& result) {
  std::string text = "accuracy  " + experiments::format_points(result["accuracy"].get<double>()) + " on " + result["samples"].dump() +
                     " rows of the " + result["split"].get<std::string>() + " split, 95 % interval " +
                     experiments::format_points(result["interval"][0].get<double>()) + " to " +
                     experiments::format_points(result["interval"][1].get<double>()) + "\n";
  for (const auto& [device, latency] : result["latency_ms"].items())
    text += device + "  " + experiments::format_significant(latency.get<double>(), 3) + " ms, " +
            experiments::format_significant(result["energy_mj"][device].get<double>(), 3) + " mJ (predicted)\n";
  text += "packed weights  " + experiments::format_bytes(result["packed_bytes"].get<double>()) + "\n";
  if (result.contains("size_bytes")) text += "ONNX file  " + experiments::format_bytes(result["size_bytes"].get<double>()) + "\n";
  return text;
}

int evaluate(const Options& options) {
  if (options.reads_stdin == !options.policy.empty()) throw UserError("evaluate: expected either --policy FILE or --stdin");
  const experiments::Experiment experiment(options.config.load(), /*load_train=*/false);
  if (options.reads_stdin) {
    experiments::serve_evaluations(experiment, std::cin, std::cout);
    return 0;
  }
  const policies::Policy policy = policies::read_policy(options.policy);
  if (const std::string note = experiments::other_model_note(policy.model_sha256, experiment.network.sha256); !note.empty())
    log_warning(note);
  const auto split = options.split == "test" ? evaluators::Split::kTest : evaluators::Split::kSearch;
  const nlohmann::json result = experiments::evaluate_policy(experiment, policy, split);
  if (result.contains("error")) {
    log_error("failed: " + result["error"].get<std::string>());
    return 1;
  }
  if (options.wants_json)
    print_json(result);
  else
    std::cout << summary(result);
  return 0;
}

}  // namespace

void add_evaluate(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "evaluate", "Measure the accuracy of a policy, or serve another program's optimizer",
                                  "lathe evaluate configs/quickstart.yaml --policy runs/quickstart/policies/001.json\n"
                                  "  echo '{\"id\": 1, \"groups\": [], \"layers\": []}' | lathe evaluate configs/quickstart.yaml --stdin");
  options->config.add_to(*command);
  command->add_option("--policy", options->policy, "Policy file");
  command->add_flag("--stdin", options->reads_stdin, "One policy a line in, one result a line out (JSON)");
  command->add_option("--split", options->split, "With --policy: the rows to measure on")
      ->check(CLI::IsMember({"test", "search"}))
      ->capture_default_str();
  command->add_flag("--json", options->wants_json, "JSON alone on standard output");
  command->callback(
      [&action, options] { action = [options] { return blaming_policy_file(options->policy, [&] { return evaluate(*options); }); }; });
}

}  // namespace lathe::cli
