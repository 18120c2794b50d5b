// How well a search keeps MPI ranks busy. Measurements only sleep, log-normally distributed, so that many ranks fit on one host:
//
//   mpirun --oversubscribe -n 32 build/dev/bench/mpi/mpi_scaling --trials 1860 --asynchronous
//
// Prints the time that was slept over the time that all ranks but rank 0 had, and rank 0's processor time a trial (with --mean 0.00001 that
// of messages and agents alone, for rank_model.py). The candidates are of the made-up network of
// search/standard_problems.h, so agents do their real work; docs/results/sweeps.md has the figures.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cmath>
#include <ctime>
#include <iostream>

#include "experiments/launchers/mpi_session.h"
#include "models/base/rng.h"
#include "search/controller.h"
#include "search/standard_problems.h"

namespace {

using lathe::evaluators::Evaluation;
using lathe::evaluators::EvaluationRequest;

struct Options {
  int trials = 300, round = 0;
  double mean_seconds = 1, sigma = 0.3;  // of the logarithm
  std::string agent = "nsga2";
  bool is_asynchronous = false;
};

// Sleeps as long as the request's number says, the same on any rank.
class SleepingEvaluator final : public lathe::evaluators::Evaluator {
 public:
  explicit SleepingEvaluator(const Options& options) : options_(options) {}
  Evaluation evaluate(const EvaluationRequest& request) const override {
    lathe::Rng rng(0, "sleep", static_cast<std::uint64_t>(request.rows));
    // The mean of exp(mu + sigma z) is exp(mu + sigma^2 / 2).
    const double mu = std::log(options_.mean_seconds) - 0.5 * options_.sigma * options_.sigma;
    const double seconds = std::exp(mu + options_.sigma * rng.normal());
    usleep(static_cast<useconds_t>(seconds * 1e6));
    return {.accuracy = rng.uniform(), .samples = 1000, .seconds = seconds};
  }

 private:
  const Options& options_;
};

// As long as one of ResNet-20 with half of its channels: messages have their real size.
lathe::policies::Policy long_policy() {
  constexpr int kLayers = 20, kKept = 32;
  lathe::policies::Policy policy;
  for (int layer = 0; layer < kLayers; ++layer) {
    const std::string name = "layer" + std::to_string(layer) + ".conv";
    lathe::policies::GroupPolicy& group = policy.groups.emplace_back();
    group.name = name;
    group.keep_ratio = 0.5;
    group.channels = kKept;
    for (int channel = 0; channel < kKept; ++channel) group.kept.push_back(2 * channel);
    policy.layers.emplace_back().name = name;
  }
  return policy;
}

void measure_scaling(const Options& options, const lathe::experiments::Distribution& distribution) {
  const lathe::search::StandardProblem made = lathe::search::make_network_problem({.layers = 20});
  const auto evaluator = distribution.distribute(std::make_unique<SleepingEvaluator>(options));
  const lathe::policies::Policy policy = long_policy();
  std::atomic<std::int64_t> number = 0;
  const lathe::search::ControllerCallbacks callbacks{.measure = [&](const lathe::policies::Candidate&) {
    const Evaluation evaluation = evaluator->evaluate({.policy = policy, .rows = ++number});
    return lathe::search::Measurement{.value = evaluation.accuracy, .seconds = evaluation.seconds};
  }};
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t processor_begin = std::clock();
  const lathe::search::SearchResult result = run_search(
      made.problem, {{options.agent, options.agent, {}}},
      {.trials = options.trials, .threads = distribution.at_once, .round = options.round, .is_asynchronous = options.is_asynchronous},
      callbacks);
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  double slept = 0;
  for (const lathe::search::Trial& trial : result.trials) slept += trial.seconds;
  std::cout << (options.is_asynchronous ? "asynchronous" : "deterministic") << ", ranks " << distribution.at_once + 1 << ", trials "
            << result.trials.size() << ", wall " << wall << " s, slept " << slept
            << " s, share of ranks - 1: " << slept / (wall * distribution.at_once) << ", rank 0: "
            << 1e3 * static_cast<double>(std::clock() - processor_begin) / CLOCKS_PER_SEC / static_cast<double>(result.trials.size())
            << " ms of processor a trial" << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Scaling of a search over MPI ranks, with evaluations that sleep.");
  app.add_option("--trials", options.trials)->capture_default_str();
  app.add_option("--round", options.round, "Proposals a round; 0 = 4")->capture_default_str();
  app.add_option("--mean", options.mean_seconds, "Mean seconds of an evaluation")->capture_default_str();
  app.add_option("--sigma", options.sigma, "Of its logarithm")->capture_default_str();
  app.add_option("--agent", options.agent)->capture_default_str();
  app.add_flag("--asynchronous", options.is_asynchronous);
  CLI11_PARSE(app, argc, argv);
  const std::unique_ptr<lathe::experiments::MpiSession> mpi = lathe::experiments::MpiSession::join();
  if (!mpi) {
    std::cerr << "to be started by mpirun, with at least two ranks\n";
    return 2;
  }
  const SleepingEvaluator evaluator(options);
  if (mpi->rank() != 0) {
    mpi->serve([&]() -> const lathe::evaluators::Evaluator& { return evaluator; });
    return 0;
  }
  measure_scaling(options, mpi->distribution(/*patience_seconds=*/600));
  return 0;
}
