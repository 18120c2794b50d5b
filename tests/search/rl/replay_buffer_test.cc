#include "search/rl/replay_buffer.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace lathe::search
