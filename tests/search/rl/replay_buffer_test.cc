#include "search/rl/replay_buffer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lathe::search {
namespace {

TEST(ReplayBuffer, RewardsAreAdvantagesOverTheBudgetsBaseline) {
  ReplayBuffer buffer(1, 1);
  for (int i = 0; i < 20; ++i) {
    buffer.add({{0}, {0.5F}}, 0, 0.2, 0.4);
    buffer.add({{0}, {0.5F}}, 0, 0.9, 0.8);
  }
  Rng rng(1, "sample");
  const Batch batch = buffer.sample(500, rng);
  double mean = 0;
  for (const float reward : batch.rewards) mean += reward / 500;
  EXPECT_NEAR(mean, 0, 0.1);
  EXPECT_EQ(batch.is_final, std::vector<float>(500, 1.0F));
}

// Priorities 1, 2, 4 and 8 (the constant 0.001 is added to each): draws in proportion to p^alpha, weights (N P)^-beta over their largest.
TEST(ReplayBuffer, DrawsByPriorityAndWeighsAgainstIt) {
  constexpr double kAlpha = 0.6, kBeta = 0.4;
  ReplayBuffer buffer(2, 1, kAlpha);
  for (int episode = 0; episode < 2; ++episode) buffer.add({{0, 0}, {0.5F, 0.5F}}, 0, 0.5, episode);
  const std::vector<std::size_t> all{0, 1, 2, 3};
  buffer.prioritize(all, std::vector<float>{1, 2, 4, 8});
  std::vector<double> expected;
  double sum = 0;
  for (const double priority : {1.001, 2.001, 4.001, 8.001}) expected.push_back(std::pow(priority, kAlpha));
  for (const double p : expected) sum += p;
  Rng rng(2, "sample");
  constexpr int kCount = 4000;
  const Batch batch = buffer.sample(kCount, rng, kBeta);
  std::vector<double> share(4);
  for (int i = 0; i < kCount; ++i) {
    const std::size_t transition = batch.picked[static_cast<std::size_t>(i)];
    share[transition] += 1.0 / kCount;
    EXPECT_NEAR(batch.weights[static_cast<std::size_t>(i)], std::pow(expected[transition] / expected[0], -kBeta), 1e-5);
  }
  // One draw from each of 4,000 equal parts: a share is off by two parts at most.
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(share[i], expected[i] / sum, 2.0 / kCount);
}

// What has not been learned from comes before what has.
TEST(ReplayBuffer, NewTransitionsHaveTheLargestPriority) {
  ReplayBuffer buffer(1, 1, 1);
  buffer.add({{0}, {0.5F}}, 0, 0.5, 0);
  buffer.prioritize(std::vector<std::size_t>{0}, std::vector<float>{9});
  buffer.add({{0}, {0.5F}}, 0, 0.5, 1);
  buffer.prioritize(std::vector<std::size_t>{0}, std::vector<float>{0});
  Rng rng(2, "sample");
  for (const std::size_t transition : buffer.sample(50, rng).picked) EXPECT_EQ(transition, 1U);
}

}  // namespace
}  // namespace lathe::search
