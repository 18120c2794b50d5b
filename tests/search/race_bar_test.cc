#include "search/race_bar.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/base/rng.h"
#include "search/pareto.h"

namespace lathe::search {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// Accuracy, and latencies of two devices; below 0.5 nothing counts.
Problem two_devices() {
  Problem problem;
  problem.metrics = {{"accuracy", Direction::kMaximize, /*is_measured=*/true},
                     {.name = "latency_ms@a", .direction = Direction::kMinimize},
                     {.name = "latency_ms@b", .direction = Direction::kMinimize, .limit = 10}};
  problem.fronts = {{"a", {0, 1}, {0.5, 100}}, {"b", {0, 2}, {0.5, 100}}};
  return problem;
}

Trial trial(double accuracy, double a, double b) {
  return {.metrics = {accuracy, a, b}};
}

TEST(RaceBar, IsTheBestThatIsKnownToBeNoSlower) {
  const Problem problem = two_devices();
  RaceBar bar(problem);
  EXPECT_EQ(bar.of({kUnknown, 5, 5}), 0.5) << "the reference point";
  bar.learn(std::vector<Trial>{trial(0.9, 4, 4), trial(0.8, 2, 2), trial(0.7, 3, 3)});
  EXPECT_EQ(bar.of({kUnknown, 5, 5}), 0.9);
  EXPECT_EQ(bar.of({kUnknown, 3, 3}), 0.8);
  EXPECT_EQ(bar.of({kUnknown, 2, 2}), 0.8) << "of the same latency";
  EXPECT_EQ(bar.of({kUnknown, 1, 1}), 0.5);
  EXPECT_EQ(bar.of({kUnknown, 5, 3}), 0.8) << "what matters to one device matters";
  EXPECT_EQ(bar.of({kUnknown, 3, 11}), 0.8) << "where the other one's limit is broken, to that one alone";
}

TEST(RaceBar, FailedTrialsAndBrokenLimitsAreNoRivals) {
  const Problem problem = two_devices();
  RaceBar bar(problem);
  Trial failed = trial(kUnknown, 1, 1);
  failed.state = TrialState::kFailed;
  bar.learn(std::vector<Trial>{failed, trial(0.95, 20, 20)});
  EXPECT_EQ(bar.of({kUnknown, 25, 9}), 0.5) << "0.95 is no policy of b";
  EXPECT_EQ(bar.of({kUnknown, 25, 30}), 0.95);
}

// Against the definition: below the bar a point enters no front, at it or above it one.
TEST(RaceBar, SeparatesWhatCanEnterAFront) {
  const Problem problem = two_devices();
  RaceBar bar(problem);
  std::vector<Trial> known;
  Rng rng(3, "race_bar_test");
  for (int i = 0; i < 60; ++i) known.push_back(trial(0.3 + 0.7 * rng.uniform(), 20 * rng.uniform(), 20 * rng.uniform()));
  bar.learn(known);
  const auto enters_a_front = [&](const Trial& news) {
    std::vector<Trial> all = known;
    all.push_back(news);
    for (const Front& front : problem.fronts) {
      if (is_feasible(problem, front, news) && front_hypervolume(problem, front, all) > front_hypervolume(problem, front, known)) return true;
    }
    return false;
  };
  for (int i = 0; i < 100; ++i) {
    const double a = 20 * rng.uniform(), b = 20 * rng.uniform(), least = bar.of({kUnknown, a, b});
    EXPECT_FALSE(enters_a_front(trial(least - 1e-6, a, b)));
    EXPECT_TRUE(enters_a_front(trial(least + 1e-6, a, b)));
  }
}

TEST(RaceBar, NeedsOneMeasuredMetric) {
  Problem problem = two_devices();
  problem.metrics[1].is_measured = true;
  EXPECT_EQ(RaceBar(problem).of({kUnknown, kUnknown, 1}), -std::numeric_limits<double>::infinity());
}

}  // namespace
}  // namespace lathe::search
