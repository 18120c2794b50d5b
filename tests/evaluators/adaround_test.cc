#include "evaluators/adaround.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "evaluators/compression.h"
#include "models/base/rng.h"
#include "models/executor.h"
#include "tests/evaluators/trained_network.h"

namespace lathe::evaluators {
namespace {

at::Tensor random_matrix(std::int64_t rows, std::int64_t columns, const std::string& purpose) {
  Rng rng(17, purpose);
  std::vector<double> values;
  for (std::int64_t i = 0; i < rows * columns; ++i) values.push_back(rng.normal());
  return at::tensor(values, at::kDouble).view({rows, columns});
}

// Inputs that depend on each other, x^ = x + noise, and levels that reach the bounds.
AdaRoundProblem problem(std::int64_t outputs, std::int64_t inputs) {
  const at::Tensor weight = random_matrix(outputs, inputs, "weight");
  const at::Tensor x = random_matrix(40, inputs, "x").mm(random_matrix(inputs, inputs, "mix"));
  const at::Tensor seen = x + 0.1 * random_matrix(40, inputs, "noise");
  return {.weight = weight,
          .scale = at::tensor(std::vector<double>(static_cast<std::size_t>(outputs), 0.4), at::kDouble).view({-1, 1}),
          .second = seen.t().mm(seen) / 40,
          .products = seen.t().mm(x.mm(weight.t())) / 40,
          .quant_min = -3,
          .quant_max = 3};
}

double error(const AdaRoundProblem& p, const at::Tensor& rounded) {
  return (rounded * (rounded.mm(p.second) - 2 * p.products.t())).sum().item<double>();
}

// Central differences, in the middle of h and where the rectified sigmoid is cut off (V beyond 2.4), with and without the second term.
TEST(AdaRound, GradientIsThatOfTheLoss) {
  const AdaRoundProblem p = problem(3, 4);
  const at::Tensor v = 1.5 * random_matrix(3, 4, "v");
  v[0][0] = 2.6;
  v[1][1] = -2.7;
  for (const double lambda : {0.0, 0.7}) {
    for (const double beta : {2.0, 5.0}) {
      const at::Tensor gradient = adaround_loss(p, v, 0.3, lambda, beta).gradient;
      for (std::int64_t i = 0; i < v.numel(); ++i) {
        constexpr double kStep = 1e-5;
        at::Tensor up = v.clone(), down = v.clone();
        up.view({-1})[i] += kStep;
        down.view({-1})[i] -= kStep;
        const double difference =
            (adaround_loss(p, up, 0.3, lambda, beta).value - adaround_loss(p, down, 0.3, lambda, beta).value) / (2 * kStep);
        EXPECT_NEAR(gradient.view({-1})[i].item<double>(), difference, 1e-6 * std::max(1.0, std::abs(difference))) << i;
      }
    }
  }
}

// Of the 2^8 ways to round eight weights of one output up or down, found by trying all of them.
TEST(AdaRound, ComesCloseToTheBestOfAllRoundings) {
  const AdaRoundProblem p = problem(1, 8);
  const at::Tensor low = (p.weight / p.scale).floor();
  double best = std::numeric_limits<double>::infinity();
  for (int choice = 0; choice < 256; ++choice) {
    at::Tensor levels = low.clone();
    for (int i = 0; i < 8; ++i) levels[0][i] += choice >> i & 1;
    best = std::min(best, error(p, levels.clamp(-3, 3) * p.scale));
  }
  const double nearest = error(p, (p.weight / p.scale).round().clamp(-3, 3) * p.scale);
  const double learned = error(p, adaround(p, {}));
  EXPECT_GE(learned, best - 1e-9);
  EXPECT_LT(learned - best, 0.25 * (nearest - best));
}

TEST(AdaRound, LeavesWeightsOnTheGridAlone) {
  AdaRoundProblem p = problem(2, 3);
  p.weight = (p.weight / p.scale).round().clamp(-3, 3) * p.scale;
  EXPECT_TRUE(adaround(p, {}).allclose(p.weight));
}

TEST(AdaRound, LeavesZerosOfSparseLayersAlone) {
  AdaRoundProblem p = problem(3, 8);
  p.weight.slice(1, 0, 4).zero_();
  const at::Tensor rounded = adaround(p, {});
  EXPECT_EQ(rounded.slice(1, 0, 4).abs().max().item<double>(), 0);
  EXPECT_GT(rounded.slice(1, 4, 8).abs().max().item<double>(), 0);
}

TEST(AdaRound, IsCloserToTheFloatNetworkThanTheNearest) {
  const auto& [data, network, analysis] = trained();
  policies::Policy policy = uniform(1, 3);
  for (auto& layer : policy.layers) layer.activation_bits = 8;
  const auto distance = [&](WeightRounding rounding) {
    const models::Network quantized = compress_simulated(network, analysis, policy, data, {.weight_rounding = rounding});
    const std::vector<at::Tensor> images = data.test.batch(0, 200);
    return (models::Executor(quantized).run(images)[0] - models::Executor(network).run(images)[0]).square().mean().item<double>();
  };
  EXPECT_LT(distance(WeightRounding::kAdaRound), 0.8 * distance(WeightRounding::kNearest));
}

}  // namespace
}  // namespace lathe::evaluators
