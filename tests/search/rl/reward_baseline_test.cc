#include "search/rl/reward_baseline.h"

#include <gtest/gtest.h>

namespace lathe::search {
namespace {

TEST(RewardBaseline, FollowsTheBudget) {
  RewardBaseline baseline;
  EXPECT_EQ(baseline.at(0, 0.5), 0);
  for (int i = 0; i < 20; ++i) {
    baseline.add(0, 0.2, 0.4);
    baseline.add(0, 0.9, 0.8);
  }
  EXPECT_NEAR(baseline.at(0, 0.2), 0.4, 0.02);
  EXPECT_NEAR(baseline.at(0, 0.9), 0.8, 0.02);
  EXPECT_NEAR(baseline.at(0, 0.55), 0.6, 0.05);
  EXPECT_NEAR(baseline.at(3, 0.5), 0.6, 1e-9);  // a front without episodes: the average of all
}

// Rewards 0 and 1 in turn: deviation 1/2, baseline between them.
TEST(RewardBaseline, MeasuresInDeviations) {
  RewardBaseline baseline;
  for (int i = 0; i < 400; ++i) baseline.add(0, 0.5, i % 2);
  EXPECT_NEAR(baseline.advantage(0, 0.5, 1) - baseline.advantage(0, 0.5, 0), 2, 0.05);
}

}  // namespace
}  // namespace lathe::search
