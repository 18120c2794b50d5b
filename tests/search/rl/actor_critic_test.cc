#include "search/rl/actor_critic.h"

#include <gtest/gtest.h>

#include <cmath>

#include "search/rl/replay_buffer.h"

namespace lathe::search {
namespace {

// One-step episodes with reward -(a - target(s))^2: the actor must find the target of each state from random actions alone.
TEST(ActorCritic, LearnsTheBestActionOfEachState) {
  ActorCritic learner(2, {.hidden = 32}, Rng(1, "weights"));
  Rng rng(2, "data");
  const auto target = [](float s) { return 0.5F + 0.35F * s; };
  for (int step = 0; step < 1500; ++step) {
    Batch batch;
    for (int i = 0; i < 64; ++i) {
      const auto s = static_cast<float>(rng.uniform(-1, 1)), a = static_cast<float>(rng.uniform());
      batch.states.insert(batch.states.end(), {s, 1});
      batch.next_states.insert(batch.next_states.end(), {s, 1});
      batch.actions.push_back(a);
      batch.rewards.push_back(-10 * (a - target(s)) * (a - target(s)));
      batch.is_final.push_back(1);
    }
    learner.train(batch);
  }
  double error = 0;
  for (const float s : {-0.9F, -0.45F, 0.0F, 0.45F, 0.9F}) error += std::abs(learner.act(std::vector<float>{s, 1}) - target(s)) / 5;
  EXPECT_LT(error, 0.06);  // a constant actor would be off by 0.19
}

// Two steps, the reward depends on the first action alone: it must be learnt through the second state's value.
TEST(ActorCritic, PropagatesTheRewardToEarlierSteps) {
  ActorCritic learner(2, {.hidden = 32, .monte_carlo = 0}, Rng(1, "weights"));
  Rng rng(3, "data");
  for (int step = 0; step < 2500; ++step) {
    Batch batch;
    for (int i = 0; i < 64; ++i) {
      const auto a = static_cast<float>(rng.uniform());
      const float reward = -10 * (a - 0.7F) * (a - 0.7F);
      const bool is_first = i % 2 == 0;  // the second state remembers the first action
      batch.states.insert(batch.states.end(), {is_first ? 0.5F : a, is_first ? 0.0F : 1.0F});
      batch.next_states.insert(batch.next_states.end(), {a, 1.0F});
      batch.actions.push_back(is_first ? a : static_cast<float>(rng.uniform()));
      batch.rewards.push_back(is_first ? 1000 : reward);  // without Monte Carlo the reward of a step that is not final is not read
      batch.is_final.push_back(is_first ? 0 : 1);
    }
    learner.train(batch);
  }
  EXPECT_NEAR(learner.act(std::vector<float>{0.5F, 0.0F}), 0.7, 0.1);
}

TEST(ActorCritic, IsDeterministic) {
  const auto trained = [] {
    ActorCritic learner(3, {}, Rng(4, "weights"));
    Batch batch{{1, 2, 3, 4, 5, 6}, {4, 5, 6, 4, 5, 6}, {0.2F, 0.7F}, {1, -1}, {0, 1}};
    for (int i = 0; i < 20; ++i) learner.train(batch);
    return learner.act(std::vector<float>{1, 2, 3});
  };
  EXPECT_EQ(trained(), trained());
}

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
