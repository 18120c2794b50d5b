#include "models/kernels/learned_quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/executor.h"
#include "models/fold_batch_norm.h"
#include "models/learned_scales.h"
#include "models/operators.h"

namespace lathe::models {
namespace {

using kernels::LearnedQuantization;
using kernels::ScaleGradient;

std::vector<float> floats(const at::Tensor& tensor) {
  return from_torch(tensor).to_floats();
}

void expect_near(const at::Tensor& actual, const std::vector<double>& expected, double tolerance) {
  const std::vector<float> values = floats(actual);
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], tolerance) << "element " << i;
}

at::Tensor input() {
  return at::tensor({-3.0, -0.9, -0.2, 0.1, 0.45, 1.3, 2.2, 4.0}, at::kFloat).view({2, 4}).requires_grad_(true);
}
at::Tensor upstream() {
  return at::tensor({1.0, -2.0, 0.5, 3.0, -1.0, 0.25, 2.0, -0.5}, at::kFloat).view({2, 4});
}

// Computed in PyTorch (float64) from the pseudo-code of the LSQ paper's appendix: gradscale, clamp, roundpass.
TEST(LearnedQuantization, IsThePapersLsqWithOneScale) {
  const at::Tensor x = input(), scale = at::tensor(0.8, at::kFloat).requires_grad_(true);
  const at::Tensor y = kernels::learned_fake_quantize(x, scale, {}, {.low = -3, .high = 3, .gradient_scale = 0.25});
  (y * upstream()).sum().backward();
  expect_near(y, {-2.4, -0.8, 0, 0, 0.8, 1.6, 2.4, 2.4}, 1e-6);
  expect_near(x.grad(), {0, -2, 0.5, 3, -1, 0.25, 2, 0}, 0);
  expect_near(scale.grad(), {-1.2109375}, 1e-5);
}

TEST(LearnedQuantization, IsThePapersLsqWithAScaleAChannel) {
  const at::Tensor x = input(), scale = at::tensor({0.8, 0.5}, at::kFloat).requires_grad_(true);
  const at::Tensor y = kernels::learned_fake_quantize(x, scale, {}, {.low = -3, .high = 3, .gradient_scale = 0.5, .axis = 0});
  (y * upstream()).sum().backward();
  expect_near(y, {-2.4, -0.8, 0, 0, 0.5, 1.5, 1.5, 1.5}, 1e-6);
  expect_near(x.grad(), {0, -2, 0.5, 3, -1, 0.25, 0, 0}, 0);
  expect_near(scale.grad(), {-1.75, 2.25}, 1e-5);
}

// PACT's equations in PyTorch (float64): y = (|x| - |x - alpha| + alpha) / 2, rounded straight through to multiples of alpha / 7. With
// alpha = 2 the gradient of alpha is 2.75; that of the scale is 7 times as large, and with a gradient scale of 1 / 7^2 a seventh of it.
TEST(LearnedQuantization, IsThePapersPactInUnitsOfTheScale) {
  const at::Tensor x = at::tensor({-1.0, 0.3, 1.1, 1.9, 2.5, 7.0}, at::kFloat).requires_grad_(true);
  const at::Tensor scale = at::tensor(2.0 / 7, at::kFloat).requires_grad_(true);
  const at::Tensor y =
      kernels::learned_fake_quantize(x, scale, {}, {.rule = ScaleGradient::kPact, .low = 0, .high = 7, .gradient_scale = 1.0 / 49});
  (y * at::tensor({1.0, 2.0, -1.0, 0.5, 3.0, -0.25}, at::kFloat)).sum().backward();
  expect_near(y, {0, 2.0 / 7, 8.0 / 7, 2, 2, 2}, 1e-6);
  expect_near(x.grad(), {0, 2, -1, 0.5, 0, 0}, 0);
  expect_near(scale.grad(), {2.75 / 7}, 1e-6);
}

// Straight-through gradients are those of y with the rounding's offset held where it is: s (clamp(x / s) + offset), whose central
// differences they must equal on either side of each bound.
TEST(LearnedQuantization, EqualsCentralDifferencesOfTheStraightThroughForm) {
  constexpr double kStep = 1e-4, kLow = -2, kHigh = 5;
  for (const double value : {-4.0, -1.01, -0.99, -0.3, 0.6, 2.45, 2.55, 9.0}) {
    SCOPED_TRACE(value);
    const double s = 0.5, v = std::clamp(value / s, kLow, kHigh), offset = std::round(v) - v;
    const auto surrogate = [&](double x, double scale) { return scale * (std::clamp(x / scale, kLow, kHigh) + offset); };
    const at::Tensor x = at::tensor({value}, at::kDouble).requires_grad_(true), scale = at::tensor({s}, at::kDouble).requires_grad_(true);
    kernels::learned_fake_quantize(x, scale, {}, {.low = kLow, .high = kHigh}).sum().backward();
    const double of_x = (surrogate(value + kStep, s) - surrogate(value - kStep, s)) / (2 * kStep);
    const double of_scale = (surrogate(value, s + kStep) - surrogate(value, s - kStep)) / (2 * kStep);
    EXPECT_NEAR(x.grad().item().toDouble(), of_x, 1e-6);
    EXPECT_NEAR(scale.grad().item().toDouble(), of_scale, 1e-6);
  }
}

// The formulas of LSQ+, section 3.1, worked out by hand with n = 0, p = 3 and the offset -1 rounded to the multiple -0.8 of the scale: v =
// (x + 0.8) / 0.8; dy/ds is 0, 0, 0.25, -0.125, 0.4375, 0.375, 3, 3, and dy/db 1 for the first two and the last two.
TEST(LearnedQuantization, IsThePapersLsqPlusWithAnOffset) {
  const at::Tensor x = input(), scale = at::tensor(0.8, at::kFloat).requires_grad_(true);
  const at::Tensor offset = at::tensor(-1.0, at::kFloat).requires_grad_(true);
  const at::Tensor y = kernels::learned_fake_quantize(x, scale, offset, {.low = 0, .high = 3, .gradient_scale = 0.25});
  (y * upstream()).sum().backward();
  expect_near(y, {-0.8, -0.8, 0, 0, 0.8, 1.6, 1.6, 1.6}, 1e-6);
  expect_near(x.grad(), {0, 0, 0.5, 3, -1, 0.25, 0, 0}, 0);
  expect_near(scale.grad(), {3.90625 * 0.25}, 1e-5);
  expect_near(offset.grad(), {0.5 * 0.25}, 1e-6);
}

TEST(LearnedQuantization, OffsetsEqualCentralDifferencesOfTheStraightThroughForm) {
  constexpr double kStep = 1e-4, kLow = 0, kHigh = 7;
  for (const double value : {-4.0, -1.01, -0.99, -0.3, 0.6, 2.45, 2.55, 9.0}) {
    SCOPED_TRACE(value);
    const double s = 0.5, b = -1, v = std::clamp((value - b) / s, kLow, kHigh), rounding = std::round(v) - v;
    const auto surrogate = [&](double scale, double offset) {
      return scale * (std::clamp((value - offset) / scale, kLow, kHigh) + rounding) + offset;
    };
    const at::Tensor x = at::tensor({value}, at::kDouble), scale = at::tensor({s}, at::kDouble).requires_grad_(true);
    const at::Tensor offset = at::tensor({b}, at::kDouble).requires_grad_(true);
    const at::Tensor y = kernels::learned_fake_quantize(x, scale, offset, {.low = kLow, .high = kHigh});
    EXPECT_NEAR(y.item().toDouble(), surrogate(s, b), 1e-12);
    y.sum().backward();
    EXPECT_NEAR(scale.grad().item().toDouble(), (surrogate(s + kStep, b) - surrogate(s - kStep, b)) / (2 * kStep), 1e-6);
    EXPECT_NEAR(offset.grad().item().toDouble(), (surrogate(s, b + kStep) - surrogate(s, b - kStep)) / (2 * kStep), 1e-6);
  }
}

// conv (weight quantized by output channel, scale learned) -> BatchNormalization, whose second factor is negative and whose third is zero.
Network quantized_conv_and_batch_norm() {
  Network network;
  const ValueId x = network.add_value({"x", DataType::kFloat32, {kDynamic, 1, 2, 2}});
  const ValueId w = network.add_constant(
      "w", Tensor::from<float>({3, 1, 2, 2}, std::vector<float>{0.9F, -0.4F, 0.2F, 0.7F, 1.5F, -2, 0.1F, 0.6F, 0.3F, 0.2F, -0.1F, 0.4F}));
  const ValueId scale = network.add_constant("scale", Tensor::from<float>({3}, std::vector<float>{0.3F, 0.5F, 0.1F}));
  const ValueId zero = network.add_constant("zero", Tensor::from<std::int32_t>({3}, std::vector<std::int32_t>{0, 0, 0}));
  const ValueId quantized = network.add_value({"quantized", DataType::kFloat32, {3, 1, 2, 2}});
  const ValueId between = network.add_value({"between", DataType::kFloat32, {kDynamic, 3, 1, 1}});
  const ValueId y = network.add_value({"y", DataType::kFloat32, {kDynamic, 3, 1, 1}});
  network.nodes.push_back({.name = "quantize",
                           .op = "FakeQuantize",
                           .domain = kLatheDomain,
                           .inputs = {w, scale, zero},
                           .outputs = {quantized},
                           .attributes = {{"axis", std::int64_t{0}},
                                          {"quant_min", std::int64_t{-3}},
                                          {"quant_max", std::int64_t{3}},
                                          {"bits", std::int64_t{3}},
                                          {"scale_gradient", std::string("lsq")},
                                          {"gradient_scale", 0.5F}}});
  network.nodes.push_back({.name = "conv", .op = "Conv", .inputs = {x, quantized}, .outputs = {between}});
  const auto of_channel = [&](const char* name, std::vector<float> values) {
    return network.add_constant(name, Tensor::from<float>({3}, values));
  };
  network.nodes.push_back({.name = "bn",
                           .op = "BatchNormalization",
                           .inputs = {between, of_channel("gamma", {1.5F, -0.5F, 0}), of_channel("beta", {0.1F, 0.2F, 0.3F}),
                                      of_channel("mean", {0.4F, -0.2F, 0.1F}), of_channel("variance", {0.5F, 2, 1})},
                           .outputs = {y}});
  network.inputs = {x};
  network.outputs = {y};
  validate(network);
  return network;
}

TEST(LearnedQuantization, ScalesThatLearnAreParameters) {
  Network network = quantized_conv_and_batch_norm();
  const ValueId scale = network.nodes[0].inputs[1];
  EXPECT_THAT(trainable_constants(network), testing::Contains(scale));
  const at::Tensor x = at::tensor({0.5, -1.0, 2.0, 0.25}, at::kFloat).view({1, 1, 2, 2});
  const Executor executor(network);
  const at::Tensor parameter = executor.trainable().at(scale).requires_grad_(true);
  const at::Tensor with_gradients = executor.run(std::vector{x})[0];
  with_gradients.sum().backward();
  EXPECT_TRUE(parameter.grad().defined());
  network.nodes[0].attributes.erase("scale_gradient");
  EXPECT_THAT(trainable_constants(network), testing::Not(testing::Contains(scale)));
  const at::NoGradGuard no_grad;
  EXPECT_TRUE(with_gradients.equal(Executor(network).run(std::vector{x})[0])) << "the same numbers as a fixed scale";
}

TEST(FoldBatchNorm, ScalesQuantizedWeightsAndTheirScales) {
  const Network network = quantized_conv_and_batch_norm();
  const Network folded = fold_batch_norm(network);
  validate(folded);
  ASSERT_EQ(folded.nodes.size(), 2U);
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::tensor({0.5, -1.0, 2.0, 0.25, 1.0, 3.0, -0.5, 0.1}, at::kFloat).view({2, 1, 2, 2});
  EXPECT_TRUE(Executor(folded).run(std::vector{x})[0].allclose(Executor(network).run(std::vector{x})[0], 1e-5, 1e-6));
  const std::vector<float> scales = folded.constants.at(folded.nodes[0].inputs[1]).to_floats();
  EXPECT_NEAR(scales[0], 0.3 * 1.5 / std::sqrt(0.5 + 1e-5), 1e-6);
  EXPECT_NEAR(scales[1], 0.5 * 0.5 / std::sqrt(2 + 1e-5), 1e-6);
  EXPECT_GT(scales[2], 0);
}

}  // namespace
}  // namespace lathe::models
