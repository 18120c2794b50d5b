#include "search/round_shares.h"

#include <gtest/gtest.h>

#include <numeric>

namespace lathe::search {
namespace {

// Two minimized objectives, reference (10, 10).
Problem problem() {
  Problem made;
  made.metrics = {{"f1"}, {"f2"}};
  made.fronts = {{"front", {0, 1}, {10, 10}, {}}};
  return made;
}

Trial trial(std::int64_t id, const std::string& agent, double f1, double f2) {
  return {.id = id, .agent = agent, .metrics = {f1, f2}};
}

TEST(RoundShares, EqualOnesRotateTheRest) {
  const Problem made = problem();
  RoundShares shares(made, {"a", "b", "c"}, Allocation::kEqual);
  EXPECT_EQ(shares.next(12), (std::vector<int>{4, 4, 4}));
  EXPECT_EQ(shares.next(4), (std::vector<int>{1, 2, 1}));
  EXPECT_EQ(shares.next(4), (std::vector<int>{1, 1, 2}));
}

TEST(RoundShares, CreditBeginsEqually) {
  const Problem made = problem();
  RoundShares shares(made, {"a", "b"}, Allocation::kCredit);
  EXPECT_EQ(shares.next(8), (std::vector<int>{4, 4}));
}

// Only "a" adds anything: it gets 0.15 + 0.7 = 0.85 of each round, "b" the floor of 0.15.
TEST(RoundShares, CreditGoesToWhoeverMakesTheFrontGrow) {
  const Problem made = problem();
  RoundShares shares(made, {"a", "b"}, Allocation::kCredit);
  std::vector<Trial> finished{trial(40, "a", 5, 5), trial(41, "b", 6, 6), trial(42, "a", 4, 6), trial(43, "b", 9, 9)};
  shares.learn(finished);
  int of_a = 0, of_b = 0;
  for (int round = 0; round < 20; ++round) {
    const std::vector<int> next = shares.next(8);
    EXPECT_EQ(next[0] + next[1], 8);
    of_a += next[0];
    of_b += next[1];
  }
  EXPECT_NEAR(of_a, 0.85 * 160, 1);
  EXPECT_NEAR(of_b, 0.15 * 160, 1);
}

// By hand: the box of (5, 5) is 25, (4, 6) adds 4: gains 1 for "a" and 4 / 29 for "b", which made one trial each. The trial of "a" has
// faded by 1 - 1/40 in both sums, which does not change its mean.
TEST(RoundShares, SharesFollowTheGainATrial) {
  const Problem made = problem();
  RoundShares shares(made, {"a", "b"}, Allocation::kCredit);
  shares.learn(std::vector<Trial>{trial(40, "a", 5, 5), trial(41, "b", 4, 6)});
  const double share_of_b = 0.15 + 0.7 * (4.0 / 29) / (1 + 4.0 / 29);
  int of_b = 0;
  for (int round = 0; round < 100; ++round) of_b += shares.next(10)[1];
  EXPECT_NEAR(of_b, 1000 * share_of_b, 1);
}

// Whoever is first in the config makes the trials of the design.
TEST(RoundShares, NoCreditForTheDesign) {
  const Problem made = problem();
  RoundShares shares(made, {"a", "b"}, Allocation::kCredit);
  shares.learn(std::vector<Trial>{trial(0, "a", 5, 5), trial(31, "a", 4, 4)});
  EXPECT_EQ(shares.next(8), (std::vector<int>{4, 4}));
}

TEST(RoundShares, NoCreditForFailuresAndForeignTrials) {
  const Problem made = problem();
  RoundShares shares(made, {"a", "b"}, Allocation::kCredit);
  Trial failed = trial(40, "a", 1, 1);
  failed.state = TrialState::kFailed;
  shares.learn(std::vector<Trial>{failed, trial(41, "quasi_random", 2, 2)});
  EXPECT_EQ(shares.next(8), (std::vector<int>{4, 4}));
}

}  // namespace
}  // namespace lathe::search
