#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "evaluators/compute_device.h"
#include "experiments/cli/command.h"
#include "experiments/cli/config_options.h"
#include "experiments/interruption.h"
#include "experiments/launchers/mpi_session.h"
#include "experiments/repeated_run.h"
#include "experiments/search_run.h"
#include "experiments/study/postgres_study.h"
#include "models/base/error.h"

namespace lathe::cli {
namespace {

struct Options {
  ConfigOptions config;
  std::string output;
  std::optional<std::uint64_t> seed;
  std::optional<int> threads;
  bool is_resumed = false, wants_json = false;
  std::string original;  // run directory that is repeated
};

// The config, from its file or from the run that is to be repeated.
experiments::ExperimentConfig config_of(const Options& options) {
  ConfigOptions sources = options.config;
  if (sources.file.empty() == options.original.empty()) throw UserError("search: expected either CONFIG or --from RUN_DIR");
  if (options.seed) sources.overrides.push_back("seed=" + std::to_string(*options.seed));
  if (options.threads) sources.overrides.push_back("search.threads=" + std::to_string(*options.threads));
  if (!options.original.empty()) {
    sources.file = options.original + "/config.yaml";
    // Known accuracies, or another search's, would make the repetition one of them.
    sources.overrides.push_back("evaluator.cache=''");
    sources.overrides.push_back("study.url=''");
  }
  experiments::ExperimentConfig config = sources.load();
  if (!options.original.empty()) config.output = std::filesystem::path(options.original + "/").parent_path().string() + "-repeated";
  if (!options.output.empty()) config.output = options.output;
  return config;
}

// What ranks other than 0 do. They keep no cache: rank 0 asks its own first.
int serve(const Options& options, experiments::MpiSession& mpi) {
  std::optional<experiments::Experiment> experiment;
  mpi.serve([&]() -> const evaluators::Evaluator& {
    experiments::ExperimentConfig config = config_of(options);
    config.evaluator.cache.clear();
    if (const int gpus = evaluators::gpu_count(); gpus > 0)
      config.evaluator.device = evaluators::device_of_process(config.evaluator.device, mpi.rank_on_host(), gpus);
    return experiment.emplace(config, /*load_train=*/false).evaluator();
  });
  return 0;
}

int search(const Options& options) {
  const std::unique_ptr<experiments::MpiSession> mpi = experiments::MpiSession::join();
  experiments::watch_for_interruption();
  if (mpi && mpi->rank() != 0) return serve(options, *mpi);
  const experiments::ExperimentConfig config = config_of(options);
  // A command is given its own time before its rank is given up.
  constexpr double kPatience = 2;
  experiments::SearchServices services{.open_study = experiments::open_study};
  if (mpi) services.distribution = mpi->distribution(kPatience * config.evaluator.timeout_seconds);
  experiments::Progress progress(std::cerr, experiments::Progress::fitting_style());
  const experiments::SearchOutcome outcome = experiments::run_search_experiment(config, options.is_resumed, progress, services);
  if (!outcome.is_finished) {
    std::cerr << "stopped; all finished trials are kept. To go on: lathe search "
              << (options.original.empty() ? options.config.file : "--from " + options.original) << " --out " << config.output
              << " --resume\n";
    return 1;
  }
  if (options.wants_json)
    std::cout << outcome.results;
  else
    std::cout << '\n' << outcome.table;
  std::cout.flush();
  if (!options.original.empty()) std::cerr << '\n' << experiments::compare_runs(options.original, config.output);
  std::cerr << "\npolicies and ONNX files: " << config.output << "\nreport: " << outcome.report << '\n';
  return 0;
}

}  // namespace

void add_search(CLI::App& app, Action& action) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "search", "Search compression policies: the main job",
                                  "lathe search configs/quickstart.yaml --set search.trials=60 --out runs/try\n"
                                  "  mpirun -n 8 lathe search configs/quickstart.yaml --out runs/try");
  options->config.add_to(*command);
  command->get_option("CONFIG")->required(false);
  command->add_option("--from", options->original, "Repeat the run of that directory instead, and say whether it comes out the same");
  command->add_option("--out", options->output, "Run directory (else the config's `output`)")->check(not_empty());
  command->add_flag("--resume", options->is_resumed, "Go on with the run in that directory");
  command->add_option("--seed", options->seed, "Same as --set seed=N");
  command->add_option("--threads", options->threads, "Same as --set search.threads=N; changes no result");
  command->add_flag("--json", options->wants_json, "JSON alone on standard output");
  command->callback([&action, options] { action = [options] { return search(*options); }; });
}

}  // namespace lathe::cli
