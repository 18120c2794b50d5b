// The asynchronous mode: every trial once, nothing waits for a slow one, a stored run goes on, failures end it.
#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

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

// Shared trials in memory; what a search called `name` sees of them.
class SharedInMemory final : public SharedTrials {
 public:
  struct Row {
    std::string search, agent;
    Candidate candidate;
    std::optional<Trial> result;
    bool is_abandoned = false;
  };
  using Table = std::vector<Row>;

  SharedInMemory(std::string name, Table& table) : name_(std::move(name)), table_(table) {}

  std::optional<std::int64_t> claim(const Candidate& candidate, const std::string& agent) override {
    const std::lock_guard lock(mutex_);
    if (std::any_of(table_.begin(), table_.end(), [&](const Row& row) { return row.candidate == candidate; })) return std::nullopt;
    table_.push_back({name_, agent, candidate, {}});
    return static_cast<std::int64_t>(table_.size()) - 1;
  }
  std::vector<Claimed> take_over(int most) override {
    const std::lock_guard lock(mutex_);
    std::vector<Claimed> taken;
    for (std::size_t id = 0; id < table_.size() && taken.size() < static_cast<std::size_t>(most); ++id) {
      if (!std::exchange(table_[id].is_abandoned, false)) continue;
      table_[id].search = name_;
      taken.push_back({static_cast<std::int64_t>(id), table_[id].agent, table_[id].candidate});
    }
    return taken;
  }
  std::vector<Trial> news() override {
    const std::lock_guard lock(mutex_);
    std::vector<Trial> trials;
    for (const Row& row : table_)
      if (row.search != name_ && row.result) trials.push_back(*row.result);
    return trials;
  }
  void record(std::span<const Trial> trials) {
    const std::lock_guard lock(mutex_);
    for (const Trial& trial : trials) table_[static_cast<std::size_t>(trial.id)].result = trial;
  }

 private:
  const std::string name_;
  std::mutex mutex_;
  Table& table_;
};

class SharedSearchTest : public AsynchronousSearchTest {
 protected:
  // The same agents and the same seed: on its own, each search would measure much the same.
  SearchResult search(const std::string& name, int trials) {
    SharedInMemory shared(name, table_);
    callbacks_.shared = &shared;
    callbacks_.record = [&](std::span<const Trial> finished) {
      shared.record(finished);
      recorded_ += static_cast<int>(finished.size());
    };
    return run_search(made_.problem, kAgents, asynchronous(trials, 2), callbacks_);
  }
  SharedInMemory::Table table_;
};

TEST_F(SharedSearchTest, SecondSearchMeasuresWhatTheFirstHasNot) {
  const SearchResult first = search("first", 30), second = search("second", 30);
  EXPECT_EQ(recorded_, 60);
  EXPECT_EQ(first.trials.size(), 30U);
  ASSERT_EQ(second.trials.size(), 60U);  // with those of the first
  expect_distinct(second.trials);
}

TEST_F(SharedSearchTest, WhatAnotherSearchLeftBehindIsMeasuredFirst) {
  SharedInMemory gone("gone", table_);
  Candidate left;
  for (const policies::Decision& decision : made_.problem.space.decisions)
    left.choices.push_back(static_cast<int>(decision.values.size()) - 1);
  ASSERT_TRUE(gone.claim(left, "nsga2"));
  table_[0].is_abandoned = true;
  const SearchResult result = search("heir", 10);
  EXPECT_EQ(recorded_, 10);
  ASSERT_EQ(result.trials.size(), 10U);
  EXPECT_EQ(result.trials[0].id, 0);
  EXPECT_EQ(result.trials[0].candidate, left);
  EXPECT_EQ(table_[0].search, "heir");
}

TEST_F(SharedSearchTest, ResumedSearchGoesOnWithWhatOthersDidMeanwhile) {
  std::vector<Trial> stored = search("first", 12).trials;
  search("second", 20);
  callbacks_.known = [&] { return stored; };
  recorded_ = 0;
  const SearchResult result = search("first", 30);
  EXPECT_EQ(recorded_, 18);
  EXPECT_EQ(result.trials.size(), 50U);
  expect_distinct(result.trials);
}

}  // namespace
}  // namespace lathe::search
