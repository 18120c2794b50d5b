#include <iostream>
#include <memory>
#include <optional>

#include "experiments/cli/command.h"
#include "experiments/cli/config_options.h"
#include "experiments/interruption.h"
#include "experiments/search_run.h"

namespace lathe::cli {
namespace {

struct Options {
  ConfigOptions config;
  std::string output;
  std::optional<std::uint64_t> seed;
  std::optional<int> threads;
  bool is_resumed = false, wants_json = false;
};

int search(const Options& options) {
  ConfigOptions sources = options.config;
  if (options.seed) sources.overrides.push_back("seed=" + std::to_string(*options.seed));
  if (options.threads) sources.overrides.push_back("search.threads=" + std::to_string(*options.threads));
  experiments::ExperimentConfig config = sources.load();
  if (!options.output.empty()) config.output = options.output;

  experiments::watch_for_interruption();
  experiments::Progress progress(std::cerr, experiments::Progress::fitting_style());
  const experiments::SearchOutcome outcome = experiments::run_search_experiment(config, options.is_resumed, progress);
  if (!outcome.is_finished) {
    std::cerr << "stopped; all finished trials are kept. To go on: lathe search " << options.config.file << " --out " << config.output
              << " --resume\n";
    return 1;
  }
  if (options.wants_json)
    std::cout << outcome.results;
  else
    std::cout << '\n' << outcome.table;
  std::cout.flush();
  std::cerr << "\npolicies and ONNX files: " << config.output << "\nreport: " << outcome.report << '\n';
  return 0;
}

}  // namespace

void add_search(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "search", "Search compression policies: the main job",
                                  "lathe search configs/quickstart.yaml --set search.trials=60 --out runs/try");
  options->config.add_to(*command);
  command->add_option("--out", options->output, "Run directory (else the config's `output`)")->check(not_empty());
  command->add_flag("--resume", options->is_resumed, "Go on with the run in that directory");
  command->add_option("--seed", options->seed, "Same as --set seed=N");
  command->add_option("--threads", options->threads, "Same as --set search.threads=N; changes no result");
  command->add_flag("--json", options->wants_json, "JSON alone on standard output");
  command->callback([&action, options] { action = [options] { return search(*options); }; });
}

}  // namespace lathe::cli
