#include "search/halving.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace lathe::search {
namespace {

// Accuracy above 0.5 against latency below 10.
Problem one_device() {
  Problem problem;
  problem.metrics = {{"accuracy", Direction::kMaximize, /*is_measured=*/true}, {.name = "latency_ms", .direction = Direction::kMinimize}};
  problem.fronts = {{"device", {0, 1}, {0.5, 10}}};
  return problem;
}

Trial trial(double accuracy, double latency) {
  return {.metrics = {accuracy, latency}};
}

std::vector<std::size_t> best(const HalvingSelection& selection, const std::vector<Trial>& trials, int count) {
  std::vector<const Trial*> pointers;
  for (const Trial& one : trials) pointers.push_back(&one);
  return selection.best(pointers, count);
}

TEST(Halving, SharesOfRowsAndOfPoliciesMultiply) {
  const Halving halving{.factor = 3, .rungs = 3};
  EXPECT_EQ(halving.proposals_per_survivor(), 9);
  EXPECT_DOUBLE_EQ(halving.share(0), 1.0 / 9);
  EXPECT_DOUBLE_EQ(halving.share(1), 1.0 / 3);
  EXPECT_DOUBLE_EQ(halving.share(2), 1);
  EXPECT_EQ(halving.entrants(36, 1), 12);
  EXPECT_EQ(halving.entrants(36, 2), 4);
  EXPECT_EQ(halving.entrants(10, 1), 4) << "rounded up";
  EXPECT_EQ(halving.entrants(10, 2), 2);
  // 36 on a ninth, 12 on two ninths more, 4 on two thirds more.
  EXPECT_NEAR(halving.cost(36), 4 + 12 * 2.0 / 9 + 4 * 2.0 / 3, 1e-12);
  EXPECT_FALSE(Halving{}.is_on());
  EXPECT_EQ(Halving{}.proposals_per_survivor(), 1);
}

// Gains over the known (0.8, 5), by hand: 0.3 * 1, 0.1 * 5, 0.1 * 5.1 + 0.3 * 0.1, none; beside the third 0.3 * 0.9 of the first, none of
// the second.
TEST(HalvingSelection, TakesWhatGainsMostHypervolumeTogether) {
  const Problem problem = one_device();
  HalvingSelection selection(problem);
  selection.learn(std::vector<Trial>{trial(0.8, 5)});
  const std::vector<Trial> round{trial(0.8, 4), trial(0.9, 5), trial(0.9, 4.9), trial(0.7, 6)};
  EXPECT_EQ(best(selection, round, 1), std::vector<std::size_t>{2});
  EXPECT_EQ(best(selection, round, 2), (std::vector<std::size_t>{0, 2})) << "the second adds nothing beside the third";
}

TEST(HalvingSelection, RanksTheRestByTheirShortfallAndLeavesFailuresOut) {
  const Problem problem = one_device();
  HalvingSelection selection(problem);
  selection.learn(std::vector<Trial>{trial(0.8, 5), trial(0.6, 1)});
  Trial failed = trial(std::numeric_limits<double>::quiet_NaN(), 1);
  failed.state = TrialState::kFailed;
  const std::vector<Trial> round{trial(0.7, 6), failed, trial(0.59, 2), trial(0.75, 7)};
  EXPECT_EQ(best(selection, round, 1), std::vector<std::size_t>{2}) << "0.01 below the best that is no slower; the others 0.1 and 0.05";
  EXPECT_EQ(best(selection, round, 2), (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(best(selection, round, 4), (std::vector<std::size_t>{0, 2, 3}));
}

}  // namespace
}  // namespace lathe::search
