#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <stdexcept>

#include "search/controller.h"
#include "search/pareto.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;

// The parts of all measurements, which add up to the value; noise that shrinks with the rows.
ControllerCallbacks measuring_parts(const StandardProblem& made, std::atomic<double>& rows) {
  ControllerCallbacks callbacks;
  callbacks.measure = [](const Candidate&) -> Measurement { throw std::logic_error("a whole measurement"); };
  callbacks.measure_part = [&](const Candidate& candidate, const Part& part) {
    EXPECT_EQ(part.from > 0, part.value != 0) << "what was measured is handed on";
    rows += part.to - part.from;
    const double error = 0.05 * (1 - part.to) * (candidate.choices[1] % 2 == 0 ? 1 : -1);
    return Measurement{.value = made.measured(candidate) + error, .stddev = made.stddev + 0.05 * (1 - part.to)};
  };
  return callbacks;
}

constexpr Halving kThirds{.factor = 3, .rungs = 3};

TEST(HalvedSearch, MeasuresTheBestOfEachRoundOnAllRows) {
  const StandardProblem made = make_network_problem({.layers = 5});
  const auto run = [&](int threads, std::atomic<double>& rows) {
    return run_search(made.problem, {{"nsga2", "", {}}, {"bayes", "", {}}},
                      {.trials = 108, .threads = threads, .round = 4, .seed = 1, .halving = kThirds}, measuring_parts(made, rows));
  };
  std::atomic<double> rows = 0, again = 0;
  const SearchResult result = run(1, rows);
  EXPECT_EQ(run(2, again).trials, result.trials);
  ASSERT_EQ(result.trials.size(), 108U);
  const auto complete = [](const Trial& trial) { return trial.state == TrialState::kComplete; };
  EXPECT_EQ(std::count_if(result.trials.begin(), result.trials.end(), complete), 12) << "4 of each 36";
  EXPECT_NEAR(rows, 3 * kThirds.cost(36), 1e-9) << "no row is run twice";
  for (const Trial& trial : result.trials) {
    if (complete(trial))
      EXPECT_EQ(trial.metrics[0], made.measured(trial.candidate)) << "all rows";
    else
      EXPECT_EQ(trial.state, TrialState::kStopped);
  }
  for (const std::int64_t id : pareto_set(made.problem, made.problem.fronts[0], result.trials))
    EXPECT_TRUE(complete(result.trials[static_cast<std::size_t>(id)]));
}

// Killed anywhere: those that left a round are stored at once, so what is missing went on.
TEST(HalvedSearch, ResumesARoundWhereItStood) {
  const StandardProblem made = make_network_problem({.layers = 5});
  const ControllerOptions options{.trials = 72, .threads = 2, .round = 4, .seed = 3, .halving = kThirds};
  const std::vector<AgentOptions> agents{{"nsga2", "", {}}};
  std::vector<std::vector<Trial>> records;  // as the store got them
  std::atomic<double> rows = 0;
  ControllerCallbacks callbacks = measuring_parts(made, rows);
  callbacks.record = [&](std::span<const Trial> trials) { records.emplace_back(trials.begin(), trials.end()); };
  const SearchResult whole = run_search(made.problem, agents, options, callbacks);
  for (std::size_t kept = 0; kept <= records.size(); ++kept) {
    std::map<std::int64_t, Trial> stored;
    for (std::size_t r = 0; r < kept; ++r)
      for (const Trial& trial : records[r]) stored[trial.id] = trial;
    ControllerCallbacks resuming = measuring_parts(made, rows);
    resuming.recall = [&](std::int64_t id, const Candidate&) -> std::optional<Trial> {
      const auto found = stored.find(id);
      return found == stored.end() ? std::nullopt : std::optional(found->second);
    };
    EXPECT_EQ(run_search(made.problem, agents, options, resuming).trials, whole.trials) << kept;
  }
}

}  // namespace
}  // namespace lathe::search
