#include "evaluators/sensitivity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe::evaluators {
namespace {

using ::testing::DoubleEq;
using ::testing::DoubleNear;
using ::testing::ElementsAre;

TEST(InterpolateLosses, IsLinearInKeptChannels) {
  // Measured at 2, 4 and 32 channels; 3 lies half way from 2 to 4, 8 at 4/28 and 16 at 12/28 of the way from 4 to 32.
  const auto losses = interpolate_losses(policies::DecisionKind::kKeptChannels, {2, 3, 4, 8, 16, 32}, {0, 2, 5}, {0.5, 0.28, 0.0});
  EXPECT_THAT(losses,
              ElementsAre(DoubleEq(0.5), DoubleNear(0.39, 1e-12), DoubleEq(0.28), DoubleNear(0.24, 1e-12), DoubleNear(0.16, 1e-12), 0.0));
}

TEST(InterpolateLosses, FallsByTheNoisePowerOfEachBit) {
  // 0.4 at 2 bits and 0.025 at 4 are a factor of 4 a bit; it goes on to 5 and 8 bits.
  const auto losses = interpolate_losses(policies::DecisionKind::kWeightBits, {2, 3, 4, 5, 8, 32}, {0, 2, 5}, {0.4, 0.025, 0.0});
  EXPECT_THAT(losses, ElementsAre(0.4, DoubleNear(0.1, 1e-12), 0.025, DoubleNear(0.025 / 4, 1e-12), DoubleNear(0.025 / 256, 1e-12), 0.0));
}

TEST(InterpolateLosses, NeverRisesWithTheValue) {
  // Noise: the middle value looked worse than the lowest.
  for (const auto kind : {policies::DecisionKind::kKeptChannels, policies::DecisionKind::kActivationBits}) {
    EXPECT_THAT(interpolate_losses(kind, {2, 4, 8}, {0, 1, 2}, {0.1, 0.2, 0.0}), ElementsAre(0.2, 0.2, 0.0));
    EXPECT_THAT(interpolate_losses(kind, {8}, {0}, {0.0}), ElementsAre(0.0));
  }
}

// Accuracy 0.9 minus 0.01 for each bit under 8 in layer a, 0.1 for each quarter of group g that is cut; layer b fails under 8 bits.
class KnownLosses final : public Evaluator {
 public:
  Evaluation evaluate(const EvaluationRequest& request) const override {
    Evaluation evaluation{.accuracy = 0.9};
    for (const auto& layer : request.policy.layers) {
      if (layer.name == "a") evaluation.accuracy -= 0.01 * (8 - layer.weight_bits);
      if (layer.name == "b" && layer.weight_bits < 8) evaluation = {.is_ok = false, .error = "too narrow"};
    }
    for (const auto& group : request.policy.groups) evaluation.accuracy -= 0.1 * static_cast<double>(4 - group.channels);
    EXPECT_EQ(request.split, Split::kSearch);
    EXPECT_EQ(request.rows, 77);
    return evaluation;
  }
};

TEST(MeasureSensitivity, FindsTheLossOfEachDecisionAlone) {
  policies::SearchSpace space;
  using policies::DecisionKind;
  space.decisions = {{.kind = DecisionKind::kKeptChannels, .subject = 0, .name = "g/keep", .values = {1, 2, 3, 4}},
                     {.kind = DecisionKind::kWeightBits, .subject = 0, .name = "a/weight_bits", .values = {2, 4, 8}},
                     {.kind = DecisionKind::kWeightBits, .subject = 1, .name = "b/weight_bits", .values = {4, 8}},
                     {.kind = DecisionKind::kActivationBits, .subject = 0, .name = "a/activation_bits", .values = {8}}};
  const auto to_policy = [&](const policies::Candidate& candidate) {
    policies::Policy policy;
    const auto value = [&](std::size_t d) { return space.decisions[d].values[static_cast<std::size_t>(candidate.choices[d])]; };
    policy.groups = {{.name = "g", .channels = value(0)}};
    policy.layers = {{.name = "a", .weight_bits = value(1)}, {.name = "b", .weight_bits = value(2)}};
    return policy;
  };
  for (const int threads : {1, 3}) {
    int calls = 0, total = 0;
    const auto drop = measure_sensitivity(space, KnownLosses(), to_policy, {.rows = 77, .threads = threads}, [&](int done, int of) {
      EXPECT_EQ(done, ++calls);
      total = of;
    });
    EXPECT_EQ(total, 5);
    EXPECT_EQ(calls, total);
    ASSERT_EQ(drop.size(), 4U);
    EXPECT_THAT(drop[0], ElementsAre(DoubleNear(0.3, 1e-12), DoubleNear(0.2, 1e-12), DoubleNear(0.1, 1e-12), 0.0));
    EXPECT_THAT(drop[1], ElementsAre(DoubleNear(0.06, 1e-12), DoubleNear(0.04, 1e-12), 0.0));  // both are measured
    EXPECT_THAT(drop[2], ElementsAre(DoubleNear(0.9, 1e-12), 0.0));
    EXPECT_THAT(drop[3], ElementsAre(0.0));
  }
}

}  // namespace
}  // namespace lathe::evaluators
