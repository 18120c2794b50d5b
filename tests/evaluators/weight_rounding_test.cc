#include "evaluators/weight_rounding.h"

#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "evaluators/accuracy.h"
#include "evaluators/compression.h"
#include "models/base/error.h"
#include "models/executor.h"
#include "policies/quantize_network.h"
#include "tests/evaluators/compression_example.h"
#include "tests/evaluators/trained_network.h"

namespace lathe::evaluators {
namespace {

// E|(W - Q) x|^2 = trace((W - Q) H (W - Q)^T)
double output_error(const at::Tensor& weight, const at::Tensor& rounded, const at::Tensor& moments) {
  const at::Tensor difference = weight - rounded;
  return (difference.mm(moments) * difference).sum().item().toDouble();
}

// Optimal Brain Compression in numpy (float64), with the explicit inverse of H over the inputs that are left at each step instead of
// GPTQ's Cholesky factor: multiples of the scales (0.3, 0.25), levels -3 to 3, damping 0.01. To the nearest the first row would be (1, -1,
// 2, 0) and the second (-2, 2, 1, -2), three times the error.
TEST(Gptq, IsOptimalBrainCompressionInOneOrder) {
  const at::Tensor weight = example_weight(), scale = matrix({0.3, 0.25}, 1);
  const at::Tensor rounded = gptq(weight, scale, example_moments(), -3, 3, 0.01);
  EXPECT_TRUE((rounded / scale).allclose(matrix({1, 0, 2, 0, -2, 3, 1, -2}, 4), 0, 1e-9)) << rounded;
  EXPECT_NEAR(output_error(weight, rounded, example_moments()), 0.02109516666666668, 1e-12);
}

TEST(Gptq, GoesToTheNearestWhereInputsAreUncorrelated) {
  const at::Tensor weight = matrix({0.44, -0.31, 0.62, 2}, 4), scale = matrix({0.3}, 1);
  const at::Tensor diagonal = matrix({1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3}, 4);  // one input is always zero
  EXPECT_TRUE((gptq(weight, scale, diagonal, -3, 3, 0.01) / scale).allclose(matrix({1, -1, 2, 3}, 4), 0, 1e-9));
}

TEST(Gptq, GivesUpOnMomentsThatAreNotFinite) {
  const at::Tensor weight = matrix({0.44, -0.31}, 2), scale = matrix({0.3}, 1);
  EXPECT_FALSE(gptq(weight, scale, matrix({1, 0.5, 0.5, std::nan("")}, 2), -3, 3, 0.01).defined());
}

TEST(WeightRounding, NamesAreChecked) {
  EXPECT_EQ(parse_weight_rounding("gptq"), WeightRounding::kGptq);
  EXPECT_THROW(parse_weight_rounding("gtpq"), UserError);
}

// Weights are multiples of their scales afterwards, so that FakeQuantize and delivery change nothing of them, and the network is closer to
// the float one than with the nearest integers.
TEST(WeightRounding, GptqIsCloserToTheFloatNetworkThanTheNearest) {
  const auto& [data, network, analysis] = trained();
  policies::Policy policy = uniform(1, 3);
  for (auto& layer : policy.layers) layer.activation_bits = 8;
  CompressionOptions options;
  const models::Network nearest = compress_simulated(network, analysis, policy, data, options);
  options.weight_rounding = WeightRounding::kGptq;
  const models::Network gptq = compress_simulated(network, analysis, policy, data, options);

  const auto distance = [&](const models::Network& quantized) {
    const c10::NoGradGuard no_grad;
    const std::vector<at::Tensor> images = data.test.batch(0, 200);
    return (models::Executor(quantized).run(images)[0] - models::Executor(network).run(images)[0]).square().mean().item().toDouble();
  };
  EXPECT_LT(distance(gptq), 0.8 * distance(nearest));
  for (const auto& node : gptq.nodes) {
    EXPECT_NE(node.op, "BatchNormalization");
    if (node.op != "FakeQuantize" || !gptq.is_constant(node.inputs[0])) continue;
    const auto axis = models::int_attribute(node, "axis", -1);
    const models::Tensor& weight = gptq.constants.at(node.inputs[0]);
    const auto levels = policies::quantize(weight, policies::parameters_of(gptq, node), axis);
    const auto scales = policies::parameters_of(gptq, node).scale;
    const auto values = weight.to_floats();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const float scale = scales[i / (values.size() / scales.size())];  // the outputs are the first axis of all layers here
      ASSERT_NEAR(values[i] / scale, levels[i], 1e-3) << node.name;
    }
  }
  const auto simulated = predict(models::Executor(gptq), data.test),
             delivered = predict(models::Executor(policies::lower_to_qdq(gptq)), data.test);
  const auto same = matches(simulated, delivered);
  EXPECT_GE(std::count(same.begin(), same.end(), 1), 396) << "of 400";
}

// One scale for a whole weight: BatchNormalization is folded first, and the bias takes the shift of the mean.
TEST(WeightRounding, GptqTakesOneScaleForAllChannels) {
  const auto& [data, network, analysis] = trained();
  policies::Policy policy = uniform(0.75, 4);
  for (auto& layer : policy.layers) layer.weight_granularity = "tensor";
  const models::Network simulated = compress_simulated(network, analysis, policy, data, {.weight_rounding = WeightRounding::kGptq});
  EXPECT_GT(accuracy(simulated, data.test), 0.7);
}

}  // namespace
}  // namespace lathe::evaluators
