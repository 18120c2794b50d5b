// Targets, losses and densities of the learners against values worked out by hand.
#include "search/rl/networks.h"

#include <gtest/gtest.h>

#include <cmath>

#include "search/rl/sac_learner.h"
#include "search/rl/td3_learner.h"
#include "tests/search/rl/tensor_values.h"

namespace lathe::search {
namespace {

// 0.25 * 2 + 0.75 * 4 = 3.5 on the way; 2 at the end, whatever the critic says.
TEST(MixedTargets, WeighTheEpisodesRewardAndTheCritic) {
  const at::Tensor targets = mixed_targets(column({2, 2}), column({0, 1}), column({4, 4}), 0.25);
  EXPECT_FLOAT_EQ(at_row(targets, 0), 3.5);
  EXPECT_FLOAT_EQ(at_row(targets, 1), 2);
}

// 0.5 + 0.1; noise 4 is clipped to 0.25; 0.9 + 0.2 is clipped to 1.
TEST(SmoothedActions, ClipTheNoiseAndTheAction) {
  const at::Tensor smoothed = smoothed_actions(column({0.5F, 0.5F, 0.5F, 0.9F}), column({1, 4, -4, 2}));
  EXPECT_FLOAT_EQ(at_row(smoothed, 0), 0.6F);
  EXPECT_FLOAT_EQ(at_row(smoothed, 1), 0.75F);
  EXPECT_FLOAT_EQ(at_row(smoothed, 2), 0.25F);
  EXPECT_FLOAT_EQ(at_row(smoothed, 3), 1);
}

TEST(TwinCritics, TakeTheLowerEstimate) {
  Rng rng(1, "twin");
  const TwinCritics critics(1, {.hidden = 16}, rng);
  std::vector<float> states, actions;
  for (int i = 0; i < 50; ++i) {
    states.push_back(static_cast<float>(rng.uniform(-1, 1)));
    actions.push_back(static_cast<float>(rng.uniform()));
  }
  const at::Tensor least = critics.least(column(states), column(actions)), first = critics.first(column(states), column(actions));
  int lower = 0;
  for (std::int64_t i = 0; i < 50; ++i) {
    EXPECT_LE(at_row(least, i), at_row(first, i));
    lower += at_row(least, i) < at_row(first, i);
  }
  EXPECT_GT(lower, 0);
  EXPECT_LT(lower, 50);
}

// New critics say nearly 0 (their last weights are below 3e-3), so both are off by nearly 10.
TEST(TwinCritics, ErrorsAreTheMeanOfBoth) {
  Rng rng(1, "twin");
  TwinCritics critics(1, {.hidden = 16}, rng);
  const Batch batch{{0.5F, -0.5F}, {0, 0}, {0.2F, 0.7F}, {0, 0}, {1, 1}};
  const at::Tensor errors = critics.train(TensorBatch(batch), column({10, 10}));
  EXPECT_EQ(errors.sizes(), at::IntArrayRef({2, 1}));
  EXPECT_NEAR(errors[0].item<float>(), 10, 0.1);
}

// A transition that weighs nothing teaches nothing: only the other one's target is learned.
TEST(TwinCritics, TrainByTheWeightsOfTransitions) {
  Rng rng(1, "twin");
  TwinCritics critics(1, {.hidden = 16}, rng);
  const Batch batch{{1, -1}, {0, 0}, {0.5F, 0.5F}, {0, 0}, {1, 1}, {0, 1}};
  const TensorBatch tensors(batch);
  at::Tensor errors;
  for (int step = 0; step < 300; ++step) errors = critics.train(tensors, column({7, 1}));
  EXPECT_LT(errors[1].item<float>(), 0.1);
  EXPECT_GT(errors[0].item<float>(), 3);
}

// td3: the actor stands still for the first of two steps.
TEST(Td3Learner, DelaysTheActor) {
  const std::unique_ptr<Learner> learner = make_td3_learner(1, {.hidden = 8}, Rng(1, "weights"));
  const Batch batch{{0.5F, -0.5F}, {0, 0}, {0.2F, 0.7F}, {3, -3}, {1, 1}};
  const double before = learner->act(std::vector<float>{0.5F});
  learner->train(batch);
  EXPECT_EQ(learner->act(std::vector<float>{0.5F}), before);
  learner->train(batch);
  EXPECT_NE(learner->act(std::vector<float>{0.5F}), before);
}

// mean 0.3, deviation 0.5, noise 1: z = 0.8, a = 1 / (1 + exp(-0.8)) = 0.6899745, log N = -0.5 - log 0.5 - 0.9189385 = -0.7257914,
// log pi = -0.7257914 - log(a (1 - a)) = 0.8164100; likewise mean -2, deviation 1/e, noise -0.5.
TEST(Squash, GivesActionsAndTheirLogDensity) {
  at::Tensor actions, log_densities;
  squash(column({0.3F, -2}), column({std::log(0.5F), -1}), column({1, -0.5F}), actions, log_densities);
  EXPECT_NEAR(at_row(actions, 0), 0.6899745, 1e-6);
  EXPECT_NEAR(at_row(log_densities, 0), 0.8164100, 1e-5);
  EXPECT_NEAR(at_row(actions, 1), 0.1012020, 1e-6);
  EXPECT_NEAR(at_row(log_densities, 1), 2.3533951, 1e-5);
}

// Densities over all actions integrate to 1: trapezoids over the noise, da = a (1 - a) deviation dnoise.
TEST(Squash, DensityIntegratesToOne) {
  std::vector<float> noise;
  for (int i = -600; i <= 600; ++i) noise.push_back(static_cast<float>(i) / 100);
  const auto count = static_cast<std::int64_t>(noise.size());
  at::Tensor actions, log_densities;
  squash(column(std::vector<float>(noise.size(), 0.7F)), column(std::vector<float>(noise.size(), 0.2F)), column(noise), actions,
         log_densities);
  double sum = 0;
  for (std::int64_t i = 1; i < count; ++i) {
    const double width = at_row(actions, i) - at_row(actions, i - 1);
    sum += 0.5 * width * (std::exp(at_row(log_densities, i)) + std::exp(at_row(log_densities, i - 1)));
  }
  EXPECT_NEAR(sum, 1, 1e-3);
}

// alpha 0.2, log densities 0.5 and -1, target -1.7: -0.2 ((0.5 - 1.7) + (-1 - 1.7)) / 2 = 0.39, which is its own derivative by log alpha.
TEST(TemperatureLoss, PushesTheEntropyToItsTarget) {
  at::Tensor log_alpha = to_tensor(std::vector<float>{std::log(0.2F)}, 1).set_requires_grad(true);
  const at::Tensor loss = temperature_loss(log_alpha, column({0.5F, -1}), -1.7);
  EXPECT_NEAR(loss.item<float>(), 0.39, 1e-6);
  loss.backward();
  EXPECT_NEAR(at_row(log_alpha.grad(), 0), 0.39, 1e-6);
}

}  // namespace
}  // namespace lathe::search
