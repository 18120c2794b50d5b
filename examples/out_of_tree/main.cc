// Runs a search with the three parts of this project: npu_search CONFIG.yaml [--set path=value]...
// The registrations are all that Lathe needs to know them by name; everything else is what `lathe search` does.
#include <iostream>
#include <string>
#include <vector>

#include "experiments/config/config.h"
#include "experiments/interruption.h"
#include "experiments/search_run.h"
#include "hill_climber.h"
#include "models/base/error.h"
#include "npu_model.h"
#include "noise_evaluator.h"

int main(int argc, char** argv) {
  lathe::search::register_agent({npu::hill_climber_kind, npu::make_hill_climber});
  lathe::hwmodels::register_device_class(npu::npu_device_class());
  lathe::evaluators::register_evaluator({.kind = "noise", .make = npu::make_noise_evaluator});
  if (argc < 2) {
    std::cerr << "usage: npu_search CONFIG.yaml [path=value]...\n";
    return 2;
  }
  try {
    const std::vector<std::string> overrides(argv + 2, argv + argc);
    const lathe::experiments::ExperimentConfig config = lathe::experiments::load_config(argv[1], overrides);
    lathe::experiments::watch_for_interruption();
    lathe::experiments::Progress progress(std::cerr, lathe::experiments::Progress::fitting_style());
    const auto outcome = lathe::experiments::run_search_experiment(config, /*is_resumed=*/false, progress);
    std::cout << outcome.table;
    return outcome.is_finished ? 0 : 1;
  } catch (const lathe::UserError& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
