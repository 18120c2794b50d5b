#include "search/controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <stdexcept>
#include <thread>

#include "models/base/error.h"
#include "search/pareto.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;

std::vector<AgentOptions> all_agents() {
  std::vector<AgentOptions> agents;
  for (const AgentKind& kind : agent_kinds()) agents.push_back({kind.kind, "", {}});
  for (AgentOptions& agent : agents) {
    // Less training than by default: these tests are not about how well they learn.
    if (agent.kind == "ddpg" || agent.kind == "td3" || agent.kind == "sac") agent.options["updates"] = 4;
  }
  return agents;
}

ControllerCallbacks measuring(const StandardProblem& made) {
  ControllerCallbacks callbacks;
  callbacks.measure = [&made](const Candidate& candidate) { return Measurement{.value = made.measured(candidate), .stddev = made.stddev}; };
  return callbacks;
}

TEST(RunSearch, GivesEachAgentItsShareAndOrdersTrialsById) {
  const StandardProblem made = make_network_problem({.layers = 5});
  const SearchResult result =
      run_search(made.problem, all_agents(), {.trials = 80, .threads = 2, .allocation = Allocation::kEqual, .seed = 1}, measuring(made));
  ASSERT_EQ(result.trials.size(), 80U);
  EXPECT_FALSE(result.is_exhausted);
  EXPECT_FALSE(result.is_stopped);
  std::map<std::string, int> by_agent;
  std::set<Candidate> distinct;
  for (std::size_t i = 0; i < result.trials.size(); ++i) {
    EXPECT_EQ(result.trials[i].id, static_cast<std::int64_t>(i));
    ++by_agent[result.trials[i].agent];
    distinct.insert(result.trials[i].candidate);
  }
  EXPECT_EQ(distinct.size(), 80U);
  EXPECT_EQ(by_agent.size(), agent_kinds().size());
  for (const auto& [name, count] : by_agent) EXPECT_NEAR(count, 80.0 / by_agent.size(), 5) << name;
  EXPECT_GT(result.duplicates, 0);  // all agents begin with the uncompressed network
}

TEST(RunSearch, DoesNotDependOnTheThreadCount) {
  const StandardProblem made = make_network_problem({.layers = 5, .devices = 2});
  const SearchResult one = run_search(made.problem, all_agents(), {.trials = 90, .threads = 1, .seed = 5}, measuring(made));
  for (const int threads : {2, 3}) {
    const SearchResult many = run_search(made.problem, all_agents(), {.trials = 90, .threads = threads, .seed = 5}, measuring(made));
    EXPECT_EQ(one.trials, many.trials) << threads << " threads";
    EXPECT_EQ(one.duplicates, many.duplicates);
  }
  const SearchResult other = run_search(made.problem, all_agents(), {.trials = 90, .threads = 1, .seed = 6}, measuring(made));
  EXPECT_NE(one.trials, other.trials);
}

TEST(RunSearch, ResumedEqualsUndisturbed) {
  const StandardProblem made = make_network_problem({.layers = 5});
  const ControllerOptions options{.trials = 60, .threads = 2, .seed = 3};
  const SearchResult whole = run_search(made.problem, all_agents(), options, measuring(made));

  for (const int known : {0, 1, 25, 60}) {
    ControllerCallbacks callbacks = measuring(made);
    std::atomic<int> measured = 0;
    callbacks.measure = [&](const Candidate& candidate) {
      ++measured;
      return Measurement{.value = made.measured(candidate), .stddev = made.stddev};
    };
    // Every other trial beyond `known` too: what a killed run stored may have holes.
    callbacks.recall = [&](std::int64_t id, const Candidate&) -> std::optional<Trial> {
      if (id < known || id % 2 == 0) return whole.trials[static_cast<std::size_t>(id)];
      return std::nullopt;
    };
    std::vector<std::int64_t> recorded;
    callbacks.record = [&](std::span<const Trial> trials) {
      for (const Trial& trial : trials) recorded.push_back(trial.id);
    };
    const SearchResult resumed = run_search(made.problem, all_agents(), options, callbacks);
    EXPECT_EQ(resumed.trials, whole.trials);
    EXPECT_EQ(measured, (61 - known) / 2) << "the odd ids from `known` on";
    EXPECT_EQ(static_cast<int>(recorded.size()), measured) << "recalled trials are stored already";
  }
}

// A short run is the beginning of a longer one, so `--set search.trials=` may extend a finished run.
TEST(RunSearch, LongerRunBeginsLikeTheShorterOne) {
  const StandardProblem made = make_network_problem({.layers = 5});
  const std::vector<AgentOptions> agents{{"nsga2", "", {}}};
  const SearchResult shorter = run_search(made.problem, agents, {.trials = 20, .threads = 2, .seed = 3}, measuring(made));
  const SearchResult longer = run_search(made.problem, agents, {.trials = 40, .threads = 2, .seed = 3}, measuring(made));
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(shorter.trials[i], longer.trials[i]);
}

TEST(RunSearch, RefusesAStoredRunThatDiffers) {
  const StandardProblem made = make_network_problem({.layers = 4});
  const std::vector<AgentOptions> agents{{"quasi_random", "", {}}};
  const SearchResult stored = run_search(made.problem, agents, {.trials = 12, .seed = 1}, measuring(made));
  const auto resume_with = [&](auto&& change) {
    ControllerCallbacks callbacks = measuring(made);
    callbacks.recall = [&](std::int64_t id, const Candidate&) -> std::optional<Trial> {
      Trial trial = stored.trials[static_cast<std::size_t>(id)];
      if (id == 3) change(trial);
      return trial;
    };
    run_search(made.problem, agents, {.trials = 12, .seed = 1}, callbacks);
  };
  EXPECT_NO_THROW(resume_with([](Trial&) {}));
  EXPECT_THROW(resume_with([](Trial& trial) { trial.candidate.choices[0] ^= 1; }), std::runtime_error);
  EXPECT_THROW(resume_with([](Trial& trial) { trial.metrics[1] *= 1.01; }), std::runtime_error);
}

TEST(RunSearch, RecordsFailuresAndGoesOn) {
  const StandardProblem made = make_network_problem({.layers = 4});
  ControllerCallbacks callbacks = measuring(made);
  callbacks.measure = [&](const Candidate& candidate) {
    if (candidate.choices[0] % 2 == 1) return Measurement{.is_ok = false, .error = "odd"};
    if (candidate.choices[0] == 2) return Measurement{.value = std::nan("")};
    return Measurement{.value = made.measured(candidate)};
  };
  std::set<std::int64_t> recorded;
  callbacks.record = [&](std::span<const Trial> trials) {
    for (const Trial& trial : trials) recorded.insert(trial.id);
  };
  const SearchResult result = run_search(made.problem, all_agents(), {.trials = 60, .threads = 2, .seed = 1}, callbacks);
  ASSERT_EQ(result.trials.size(), 60U);
  EXPECT_EQ(recorded.size(), 60U);
  int failed = 0;
  for (const Trial& trial : result.trials) {
    const bool should_fail = trial.candidate.choices[0] % 2 == 1 || trial.candidate.choices[0] == 2;
    EXPECT_EQ(trial.state == TrialState::kFailed, should_fail);
    EXPECT_EQ(std::isnan(trial.metrics[0]), should_fail);
    EXPECT_EQ(trial.error.empty(), !should_fail);
    failed += should_fail;
  }
  EXPECT_GT(failed, 5);
}

TEST(RunSearch, TriesEveryCandidateOfATinySpaceAndEnds) {
  const StandardProblem made = make_zdt(1, 3, 3);
  const SearchResult result = run_search(made.problem, all_agents(), {.trials = 1000, .threads = 2, .seed = 1}, measuring(made));
  EXPECT_EQ(result.trials.size(), 27U);
  EXPECT_TRUE(result.is_exhausted);
}

TEST(RunSearch, FindsTheFewThatLimitsLeave) {
  StandardProblem made = make_zdt(1, 3, 5);
  made.problem.metrics[0].limit = 0.0;  // x1 = 0: 25 of 125
  const SearchResult result = run_search(made.problem, all_agents(), {.trials = 1000, .threads = 2, .seed = 1}, measuring(made));
  EXPECT_EQ(result.trials.size(), 25U);
  EXPECT_TRUE(result.is_exhausted);
  EXPECT_GT(result.rejected, 0);
}

TEST(RunSearch, EndsWhereNothingIsAllowed) {
  StandardProblem made = make_network_problem({.layers = 30});
  made.problem.metrics[1].limit = 1e-9;
  const SearchResult result = run_search(made.problem, all_agents(), {.trials = 100, .threads = 2, .seed = 1}, measuring(made));
  EXPECT_TRUE(result.trials.empty());
  EXPECT_TRUE(result.is_exhausted);
}

TEST(RunSearch, StopsWhenProgressSaysSo) {
  const StandardProblem made = make_network_problem({.layers = 4});
  ControllerCallbacks callbacks = measuring(made);
  int calls = 0;
  callbacks.progress = [&](const std::vector<Trial>& trials) {
    EXPECT_EQ(trials.size(), 4U * ++calls);
    return calls < 3;
  };
  const SearchResult result = run_search(made.problem, {{"quasi_random", "", {}}}, {.trials = 100, .threads = 2, .seed = 1}, callbacks);
  EXPECT_TRUE(result.is_stopped);
  EXPECT_FALSE(result.is_exhausted);
  EXPECT_EQ(result.trials.size(), 12U);
}

TEST(RunSearch, MeasuresTheNextRoundWhileAStragglerRuns) {
  const StandardProblem made = make_network_problem({.layers = 4});
  ControllerCallbacks callbacks = measuring(made);
  std::atomic<int> begun = 0, measured = 0;
  std::atomic<bool> overlaps = true;
  callbacks.measure = [&](const Candidate& candidate) {
    if (begun++ == 0) {
      // The first of four: three others of its round may end meanwhile, so a fifth shows that its round did not hold it up.
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
      while (measured < 4 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
      overlaps = measured >= 4;
    }
    ++measured;
    return Measurement{.value = made.measured(candidate)};
  };
  run_search(made.problem, {{"quasi_random", "", {}}}, {.trials = 8, .threads = 2, .seed = 1}, callbacks);
  EXPECT_TRUE(overlaps);
}

// The agents' thread reports the first round, for as long as it takes the only evaluator to go on from the second round's first trial, which
// in its turn waits for that report.
TEST(RunSearch, MeasuresWhileAgentsAreBusy) {
  const StandardProblem made = make_network_problem({.layers = 4});
  const auto wait_for = [deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30)](const auto& condition) {
    while (!condition() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    return condition();
  };
  constexpr int kRound = 4;
  std::atomic<int> begun = 0, running = 0;
  std::atomic<bool> is_reporting = false, is_alone = true, overlaps = false;
  ControllerCallbacks callbacks = measuring(made);
  callbacks.measure = [&](const Candidate& candidate) {
    if (++running > 1) is_alone = false;
    if (++begun == kRound + 1) wait_for([&] { return is_reporting.load(); });
    const Measurement result{.value = made.measured(candidate)};
    --running;
    return result;
  };
  callbacks.progress = [&](const std::vector<Trial>&) {
    if (!is_reporting.exchange(true)) overlaps = wait_for([&] { return begun > kRound + 1; });
    return true;
  };
  run_search(made.problem, {{"quasi_random", "", {}}}, {.trials = 3 * kRound, .threads = 1, .round = kRound, .seed = 1}, callbacks);
  EXPECT_TRUE(overlaps);
  EXPECT_TRUE(is_alone) << "more evaluators than asked for";
}

// Races know their bar from the rounds that are told, whatever the thread count, and cost no member of a front that counts.
TEST(RunSearch, RacesBelowTheFront) {
  const StandardProblem made = make_network_problem({.layers = 5});
  const auto run = [&](int threads, std::atomic<int>& stopped) {
    ControllerCallbacks callbacks = measuring(made);
    callbacks.race = [&](const Candidate& candidate, double bar) {
      const double value = made.measured(candidate);
      if (value >= bar) return Measurement{.value = value, .stddev = made.stddev};
      ++stopped;
      return Measurement{.value = value, .stddev = made.stddev + 1};  // fewer rows
    };
    return run_search(made.problem, {{"nsga2", "", {}}}, {.trials = 80, .threads = threads, .seed = 1}, callbacks).trials;
  };
  std::atomic<int> one = 0, two = 0;
  const std::vector<Trial> trials = run(1, one), again = run(2, two);
  EXPECT_GT(one, 20);
  EXPECT_LT(one, 70);
  EXPECT_EQ(one, two);
  for (std::size_t i = 0; i < trials.size(); ++i) EXPECT_EQ(trials[i].candidate, again.at(i).candidate);
  for (const std::int64_t id : pareto_set(made.problem, made.problem.fronts[0], trials)) {
    const Trial& member = trials[static_cast<std::size_t>(id)];
    if (member.metrics[0] <= made.problem.fronts[0].reference_point[0]) continue;
    EXPECT_EQ(member.stddev, made.stddev);
  }
}

TEST(RunSearch, HistoryComesFirstAndIsNotMeasuredAgain) {
  const StandardProblem made = make_network_problem({.layers = 4});
  const std::vector<Trial> history =
      run_search(made.problem, {{"quasi_random", "", {}}}, {.trials = 30, .threads = 1, .seed = 7}, measuring(made)).trials;
  ControllerCallbacks callbacks = measuring(made);
  callbacks.history = history;
  const SearchResult result = run_search(made.problem, {{"bayes", "", {}}}, {.trials = 8, .threads = 1, .seed = 1}, callbacks);
  ASSERT_EQ(result.trials.size(), 38U);
  EXPECT_TRUE(std::equal(history.begin(), history.end(), result.trials.begin()));
  std::set<Candidate> distinct;
  for (const Trial& trial : result.trials) distinct.insert(trial.candidate);
  EXPECT_EQ(distinct.size(), 38U);
  EXPECT_EQ(result.trials[30].id, 30);
}

TEST(RunSearch, PassesExceptionsOnAfterRecordingWhatIsFinished) {
  const StandardProblem made = make_network_problem({.layers = 4});
  ControllerCallbacks callbacks = measuring(made);
  std::atomic<int> measured = 0;
  callbacks.measure = [&](const Candidate& candidate) {
    if (measured >= 10) throw std::runtime_error("disk full");
    ++measured;
    return Measurement{.value = made.measured(candidate)};
  };
  int recorded = 0;
  callbacks.record = [&](std::span<const Trial> trials) { recorded += static_cast<int>(trials.size()); };
  EXPECT_THROW(run_search(made.problem, all_agents(), {.trials = 100, .threads = 1, .seed = 1}, callbacks), std::runtime_error);
  EXPECT_EQ(recorded, measured);
}

TEST(RunSearch, NamesAgentsOfOneKindApart) {
  const StandardProblem made = make_network_problem({.layers = 4});
  const SearchResult result =
      run_search(made.problem, {{"nsga2", "", {}}, {"nsga2", "", {{"population", 8}}}}, {.trials = 40, .seed = 1}, measuring(made));
  std::set<std::string> names;
  for (const Trial& trial : result.trials) names.insert(trial.agent);
  EXPECT_EQ(names, (std::set<std::string>{"nsga2", "nsga2-2"}));
}

TEST(RunSearch, NeedsAnAgent) {
  const StandardProblem made = make_zdt(1, 2, 3);
  EXPECT_THROW(run_search(made.problem, {}, {}, measuring(made)), UserError);
}

}  // namespace
}  // namespace lathe::search
