#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "experiments/cli/command.h"
#include "experiments/inspection.h"
#include "models/onnx_reader.h"

namespace lathe::cli {
namespace {

struct Options {
  std::string model;
  bool wants_json = false;
};

int inspect(const Options& options) {
  const models::Network network = policies::prepare_for_pruning(models::read_onnx(options.model));
  const nlohmann::json inspection = experiments::inspection_json(network, policies::analyze_coupling(network));
  if (options.wants_json)
    print_json(inspection);
  else
    std::cout << experiments::inspection_text(inspection);
  return 0;
}

}  // namespace

void add_inspect(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      add_command(app, "inspect", "Show a network's layers and which channels are pruned together", "lathe inspect net.onnx");
  command->add_option("MODEL", options->model, "ONNX file")->required();
  command->add_flag("--json", options->wants_json, "JSON alone on standard output");
  command->callback([&action, options] { action = [options] { return inspect(*options); }; });
}

}  // namespace lathe::cli
