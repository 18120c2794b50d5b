#include "search/rl/ppo_learner.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/search/rl/tensor_values.h"

namespace lathe::search {
namespace {

// delta = (2 - 1, 0.5 - 2, 3 - 0.5); from the end: 2.5, -1.5 + 0.5 * 2.5, 1 - 0.5 * 0.25.
TEST(GeneralizedAdvantages, SumTheDiscountedErrorsOfTheValues) {
  const std::vector<double> values{1, 2, 0.5};
  EXPECT_EQ(generalized_advantages(values, 3, 0.5), (std::vector<double>{0.875, -0.25, 2.5}));
}

// lambda 1: what the episode brought beyond the value; lambda 0: the next value's step alone.
TEST(GeneralizedAdvantages, AreMonteCarloAtOneAndOneStepAtZero) {
  const std::vector<double> values{1, 2, 0.5};
  EXPECT_EQ(generalized_advantages(values, 3, 1), (std::vector<double>{2, 1, 2.5}));
  EXPECT_EQ(generalized_advantages(values, 3, 0), (std::vector<double>{1, -1.5, 2.5}));
}

// r = 1.5, 0.5, 1.5, 0.5 and A = 1, 1, -1, -1: min(1.5, 1.2), min(0.5, 0.8), min(-1.5, -1.2), min(-0.5, -0.8) have the mean -0.15. By
// log r: nothing where the clipped term is the lower one, else r A / 4.
TEST(ClippedSurrogate, LeavesNoGainBeyondTheClip) {
  const float high = std::log(1.5F), low = std::log(0.5F);
  const at::Tensor log_ratios = column({high, low, high, low}).set_requires_grad(true);
  const at::Tensor surrogate = clipped_surrogate(log_ratios, column({1, 1, -1, -1}), 0.2);
  EXPECT_NEAR(surrogate.item<float>(), -0.15, 1e-6);
  surrogate.backward();
  const double expected[] = {0, 0.125, -0.375, 0};
  for (int row = 0; row < 4; ++row) EXPECT_NEAR(at_row(log_ratios.grad(), row), expected[row], 1e-6) << row;
}

// One deviation from the mean with deviation 0.5: -0.5 - log 0.5 - 0.9189385.
TEST(NormalLogDensity, IsThatOfTheNormalDistribution) {
  EXPECT_NEAR(at_row(normal_log_density(column({0.8F}), column({0.3F}), column({std::log(0.5F)})), 0), -0.7257914, 1e-6);
}

TEST(PpoLearner, NotesTheDensitiesOfWhatItDraws) {
  const PpoLearner learner(2, {}, Rng(1, "weights"));
  Rng rng(2, "draws");
  Rollout rollout;
  const std::vector<float> state{0.3F, 1};
  double mean = 0;
  constexpr int kDraws = 400;
  for (int i = 0; i < kDraws; ++i) mean += learner.explore(state, rng, rollout) / kDraws;
  EXPECT_NEAR(mean, learner.act(state), 0.05);  // untrained: both near 0.5; standard error 0.01
  const double own = std::log(learner.act(state) / (1 - learner.act(state)));  // the latent's mean; its log deviation is -0.7 at first
  for (std::size_t i = 0; i < kDraws; ++i) {
    const double distance = (rollout.latents[i] - own) / std::exp(-0.7);
    EXPECT_NEAR(rollout.log_densities[i], -0.5 * distance * distance + 0.7 - 0.9189385, 1e-4);
  }
}

// Episodes of two steps; the reward wants another action in each state, and comes at the end.
double trained_error(std::uint64_t seed, double* last_error = nullptr) {
  PpoLearner learner(2, {.hidden = 32}, Rng(seed, "weights"));
  Rng rng(seed, "data");
  const std::vector<float> first{-1, 1}, second{1, 1};
  for (int update = 0; update < 60; ++update) {
    std::vector<Rollout> rollouts(16);
    std::vector<double> rewards;
    for (Rollout& rollout : rollouts) {
      const double a = learner.explore(first, rng, rollout), b = learner.explore(second, rng, rollout);
      rewards.push_back(1 - 10 * (a - 0.2) * (a - 0.2) - 10 * (b - 0.8) * (b - 0.8));
    }
    const double error = learner.train(rollouts, rewards);
    if (last_error != nullptr) *last_error = error;
  }
  return std::abs(learner.act(first) - 0.2) + std::abs(learner.act(second) - 0.8);
}

TEST(PpoLearner, LearnsTheBestActionOfEachState) {
  double critic_error = 0;
  EXPECT_LT(trained_error(1, &critic_error), 0.1);  // 0.6 untrained
  EXPECT_LT(critic_error, 1);                       // the variance of a random actor's rewards is above 1
}

TEST(PpoLearner, IsDeterministic) {
  EXPECT_EQ(trained_error(3), trained_error(3));
}

}  // namespace
}  // namespace lathe::search
