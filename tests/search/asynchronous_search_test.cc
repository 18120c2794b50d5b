// The asynchronous mode: every trial once, nothing waits for a slow one, a stored run goes on, failures end it.
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>

#include "search/controller.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;

const std::vector<AgentOptions> kAgents{{"nsga2", "", {}}, {"quasi_random", "", {}}};

ControllerOptions asynchronous(int trials, int threads) {
  return {.trials = trials, .threads = threads, .seed = 3, .is_asynchronous = true};
}

void expect_distinct(const std::vector<Trial>& trials) {
  std::set<Candidate> candidates;
  std::set<std::int64_t> ids;
  for (const Trial& trial : trials) {
    candidates.insert(trial.candidate);
    ids.insert(trial.id);
  }
  EXPECT_EQ(candidates.size(), trials.size());
  EXPECT_EQ(ids.size(), trials.size());
}

class AsynchronousSearchTest : public testing::Test {
 protected:
  // More threads than this machine may have processors: they mostly wait.
  tbb::global_control threads_{tbb::global_control::max_allowed_parallelism, 6};
  StandardProblem made_ = make_network_problem({.layers = 5});
  std::atomic<int> recorded_ = 0;
  ControllerCallbacks callbacks_{.measure = [this](const Candidate& candidate) { return Measurement{.value = made_.measured(candidate)}; },
                                 .record = [this](std::span<const Trial> trials) { recorded_ += static_cast<int>(trials.size()); }};
};

TEST_F(AsynchronousSearchTest, MeasuresAndRecordsEachTrialOnce) {
  for (const int threads : {1, 2, 4}) {
    recorded_ = 0;
    const SearchResult result = run_search(made_.problem, kAgents, asynchronous(60, threads), callbacks_);
    ASSERT_EQ(result.trials.size(), 60U) << threads;
    EXPECT_EQ(recorded_, 60);
    expect_distinct(result.trials);
  }
}

// A slow disk: what comes in meanwhile is stored by one call.
TEST_F(AsynchronousSearchTest, TrialsThatComeInWhileOthersAreStoredAreStoredTogether) {
  std::atomic<int> measured = 0;
  callbacks_.measure = [&](const Candidate& candidate) {
    ++measured;
    measured.notify_all();
    return Measurement{.value = made_.measured(candidate)};
  };
  std::size_t largest = 0;
  callbacks_.record = [&](std::span<const Trial> trials) {
    for (int now = measured; recorded_ == 0 && now < 8; now = measured) measured.wait(now);
    largest = std::max(largest, trials.size());
    recorded_ += static_cast<int>(trials.size());
  };
  EXPECT_EQ(run_search(made_.problem, kAgents, asynchronous(60, 2), callbacks_).trials.size(), 60U);
  EXPECT_EQ(recorded_, 60);
  EXPECT_GE(largest, 5U);
}

// One measurement takes as long as all others together: in rounds it would hold everything up for good.
TEST_F(AsynchronousSearchTest, NobodyWaitsForASlowMeasurement) {
  std::mutex mutex;
  std::condition_variable changed;
  int done = 0;
  std::atomic<bool> is_first = true;
  callbacks_.measure = [&](const Candidate& candidate) {
    std::unique_lock lock(mutex);
    if (is_first.exchange(false)) {
      const bool others_went_on = changed.wait_for(lock, std::chrono::seconds(60), [&] { return done >= 50; });
      EXPECT_TRUE(others_went_on);
    }
    ++done;
    changed.notify_all();
    return Measurement{.value = made_.measured(candidate)};
  };
  EXPECT_EQ(run_search(made_.problem, kAgents, asynchronous(60, 3), callbacks_).trials.size(), 60U);
}

TEST_F(AsynchronousSearchTest, GoesOnFromAStoredRun) {
  std::vector<Trial> stored = run_search(made_.problem, kAgents, asynchronous(25, 2), callbacks_).trials;
  stored.erase(stored.begin() + 7);  // as if that one had been under way at the kill
  callbacks_.known = [&] { return stored; };
  recorded_ = 0;
  const SearchResult result = run_search(made_.problem, kAgents, asynchronous(60, 2), callbacks_);
  ASSERT_EQ(result.trials.size(), 60U);
  EXPECT_EQ(recorded_, 60 - 24);
  expect_distinct(result.trials);
  for (std::size_t i = 0; i < stored.size(); ++i) EXPECT_EQ(result.trials[i], stored[i]);
}

TEST_F(AsynchronousSearchTest, EndsWhenTheSpaceDoes) {
  StandardProblem tiny = make_network_problem({.layers = 1});
  for (policies::Decision& decision : tiny.problem.space.decisions) decision.values.resize(2);
  callbacks_.measure = [&](const Candidate&) { return Measurement{.value = 0.5}; };
  const SearchResult result = run_search(tiny.problem, kAgents, asynchronous(60, 3), callbacks_);
  EXPECT_EQ(result.trials.size(), 8U);
  EXPECT_TRUE(result.is_exhausted);
}

TEST_F(AsynchronousSearchTest, PassesExceptionsOn) {
  std::atomic<int> measured = 0;
  callbacks_.measure = [&](const Candidate& candidate) {
    if (++measured > 10) throw std::runtime_error("no power");
    return Measurement{.value = made_.measured(candidate)};
  };
  EXPECT_THROW(run_search(made_.problem, kAgents, asynchronous(60, 3), callbacks_), std::runtime_error);
  EXPECT_LE(recorded_, 12);
}

TEST_F(AsynchronousSearchTest, StopsWhenProgressSaysSo) {
  callbacks_.progress = [](const std::vector<Trial>& trials) { return trials.size() < 20; };
  const SearchResult result = run_search(made_.problem, kAgents, asynchronous(60, 2), callbacks_);
  EXPECT_TRUE(result.is_stopped);
  EXPECT_LT(result.trials.size(), 25U);
}

}  // namespace
}  // namespace lathe::search
