#include "search/rl/replay_buffer.h"

#include <gtest/gtest.h>

namespace lathe::search {
namespace {

TEST(ReplayBuffer, BaselineFollowsTheBudget) {
  ReplayBuffer buffer(1, 1);
  EXPECT_EQ(buffer.baseline(0, 0.5), 0);
  for (int i = 0; i < 20; ++i) {
    buffer.add({{0}, {0.5F}}, 0, 0.2, 0.4);
    buffer.add({{0}, {0.5F}}, 0, 0.9, 0.8);
  }
  EXPECT_NEAR(buffer.baseline(0, 0.2), 0.4, 0.02);
  EXPECT_NEAR(buffer.baseline(0, 0.9), 0.8, 0.02);
  EXPECT_NEAR(buffer.baseline(0, 0.55), 0.6, 0.05);
  EXPECT_NEAR(buffer.baseline(3, 0.5), 0.6, 1e-9);  // a front without episodes: the average of all
  Rng rng(1, "sample");
  const Batch batch = buffer.sample(500, rng);
  double mean = 0;
  for (const float reward : batch.rewards) mean += reward / 500;
  EXPECT_NEAR(mean, 0, 0.1);
  EXPECT_EQ(batch.is_final, std::vector<float>(500, 1.0F));
}

}  // namespace
}  // namespace lathe::search
