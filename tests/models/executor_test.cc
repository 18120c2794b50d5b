#include "models/executor.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <tbb/parallel_for.h>

#include <cmath>

#include "models/base/rng.h"
#include "models/fold_batch_norm.h"
#include "models/op_counts.h"
#include "tests/models/onnx_text.h"

namespace lathe::models {
namespace {

using testing::ElementsAre;

// Conv, BatchNormalization, Relu, mean over positions, Gemm; every constant random.
Network classifier() {
  onnx::ModelProto model = model_from_text(R"(<ir_version: 7, opset_import: ["" : 13]>
    net (float[N, 2, 5, 5] x) => (float[N, 3] y) {
      c = Conv<pads = [1, 1, 1, 1]>(x, w, b)
      n = BatchNormalization(c, gamma, beta, mean, var)
      r = Relu(n)
      p = GlobalAveragePool(r)
      f = Flatten(p)
      y = Gemm<transB = 1>(f, v, u)
    })");
  Rng rng(5, "classifier");
  const auto add = [&](const char* name, std::vector<std::int64_t> shape, bool positive) {
    auto* tensor = model.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t extent : shape) tensor->add_dims(extent);
    for (std::int64_t i = 0; i < element_count(shape); ++i) {
      tensor->add_float_data(static_cast<float>(positive ? 0.5 + rng.uniform() : 0.5 * rng.normal()));
    }
  };
  add("w", {4, 2, 3, 3}, false);
  add("b", {4}, false);
  add("gamma", {4}, true);
  add("beta", {4}, false);
  add("mean", {4}, false);
  add("var", {4}, true);
  add("v", {3, 4}, false);
  add("u", {3}, false);
  return parse_onnx(model.SerializeAsString(), "classifier.onnx");
}

at::Tensor fixed_input(std::int64_t rows) {
  Rng rng(3, "input");
  std::vector<float> values(static_cast<std::size_t>(rows) * 50);
  for (float& value : values) value = static_cast<float>(rng.normal());
  return at::tensor(values).reshape({rows, 2, 5, 5});
}

ValueId id_of(const Network& network, const std::string& name) {
  for (std::size_t i = 0; i < network.values.size(); ++i) {
    if (network.values[i].name == name) return static_cast<ValueId>(i);
  }
  ADD_FAILURE() << "no value " << name;
  return kNoValue;
}

double loss_of(const Executor& executor, const at::Tensor& x, const RunOptions& options) {
  const at::NoGradGuard no_grad;
  const at::Tensor y = executor.run(std::vector{x}, options)[0].to(at::kDouble);
  return (y * y).sum().item<double>();
}

// Gradients against central differences, in evaluation mode and with batch statistics. The step balances rounding (1e-7 of a loss of
// about 10) against curvature; 2 % of the largest gradient covers both.
void expect_right_gradients(bool batch_statistics) {
  const Network network = classifier();
  const Executor executor(network);
  const at::Tensor x = fixed_input(4);
  RunOptions options;
  options.batch_statistics = batch_statistics;
  options.batch_norm_momentum = 0;  // else the running statistics would move between evaluations
  auto parameters = executor.trainable();
  ASSERT_EQ(parameters.size(), 6u);
  for (auto& [id, parameter] : parameters) parameter.requires_grad_(true);
  const at::Tensor y = executor.run(std::vector{x}, options)[0];
  (y * y).sum().backward();
  constexpr float kStep = 2e-3f;
  for (auto& [id, parameter] : parameters) {
    SCOPED_TRACE(network.value(id).name);
    const at::Tensor gradient = parameter.grad().contiguous();
    at::Tensor values = parameter.detach();
    const double largest = gradient.abs().max().item<double>();
    for (std::int64_t i = 0; i < gradient.numel(); i += 3) {
      const at::Tensor element = values.contiguous().reshape({-1});
      const float before = element[i].item<float>();
      // The parameter may be stored channels_last: write through its logical order.
      const auto nudge = [&](float to) {
        at::Tensor changed = values.contiguous().clone();
        changed.reshape({-1})[i] = to;
        values.copy_(changed);
      };
      nudge(before + kStep);
      const double above = loss_of(executor, x, options);
      nudge(before - kStep);
      const double below = loss_of(executor, x, options);
      nudge(before);
      EXPECT_NEAR(gradient.reshape({-1})[i].item<double>(), (above - below) / (2 * kStep), 0.02 * largest + 2e-3) << "element " << i;
    }
  }
}

TEST(Executor, GradientsAreRight) {
  expect_right_gradients(/*batch_statistics=*/false);
}
TEST(Executor, GradientsThroughBatchStatisticsAreRight) {
  expect_right_gradients(/*batch_statistics=*/true);
}

// Mean and unbiased variance of the batch, mixed in with the momentum (PyTorch's definition, computed here in double).
TEST(Executor, BatchStatisticsNormalizeAndUpdateTheRunningOnes) {
  const Network network = classifier();
  const Executor executor(network);
  const at::Tensor x = fixed_input(6);
  const ValueId c = id_of(network, "c"), n = id_of(network, "n"), mean = id_of(network, "mean"), var = id_of(network, "var");
  const at::Tensor old_mean = executor.constant(mean).clone().to(at::kDouble), old_var = executor.constant(var).clone().to(at::kDouble);
  std::map<ValueId, at::Tensor> seen;
  RunOptions options{.batch_statistics = true,
                     .batch_norm_momentum = 0.3,
                     .observer = [&](ValueId id, const at::Tensor& t) { seen[id] = t.to(at::kDouble).clone(); },
                     .observed = {c, n}};
  const at::NoGradGuard no_grad;
  executor.run(std::vector{x}, options);
  ASSERT_EQ(seen.size(), 2u);
  const at::Tensor rows = seen[c].permute({1, 0, 2, 3}).reshape({4, -1});
  const at::Tensor batch_mean = rows.mean(1), unbiased = rows.var(1, /*unbiased=*/true), biased = rows.var(1, /*unbiased=*/false);
  EXPECT_TRUE(executor.constant(mean).to(at::kDouble).allclose(0.7 * old_mean + 0.3 * batch_mean, 1e-5, 1e-6));
  EXPECT_TRUE(executor.constant(var).to(at::kDouble).allclose(0.7 * old_var + 0.3 * unbiased, 1e-5, 1e-6));
  const at::Tensor normalized = (rows - batch_mean.unsqueeze(1)) / (biased + 1e-5).sqrt().unsqueeze(1);
  const at::Tensor expected =
      normalized * executor.constant(id_of(network, "gamma")).unsqueeze(1) + executor.constant(id_of(network, "beta")).unsqueeze(1);
  EXPECT_TRUE(seen[n].permute({1, 0, 2, 3}).reshape({4, -1}).allclose(expected, 1e-4, 1e-5));
  // The snapshot has the new statistics, and is otherwise the same network.
  Network snapshot = executor.snapshot();
  EXPECT_FALSE(snapshot.constants.at(mean) == network.constants.at(mean));
  snapshot.constants = network.constants;
  EXPECT_EQ(snapshot, network);
}

TEST(Executor, ComputesTheSameForAnyBatchAndChangesNothing) {
  const Network network = classifier();
  const Executor executor(network);
  const at::NoGradGuard no_grad;
  const at::Tensor x = fixed_input(5);
  const at::Tensor whole = executor.run(std::vector{x})[0];
  for (std::int64_t row = 0; row < 5; ++row) {
    EXPECT_TRUE(executor.run(std::vector{x.narrow(0, row, 1)})[0].allclose(whole.narrow(0, row, 1), 1e-5, 1e-6));
  }
  EXPECT_EQ(executor.snapshot(), network);
}

TEST(Executor, RunsInManyTasksAtOnce) {
  const Executor executor(classifier());
  const at::Tensor x = fixed_input(8);
  at::Tensor expected;
  {
    const at::NoGradGuard no_grad;
    expected = executor.run(std::vector{x})[0];
  }
  std::vector<at::Tensor> outputs(32);
  tbb::parallel_for(std::size_t{0}, outputs.size(), [&](std::size_t i) {
    at::set_num_threads(1);
    const at::NoGradGuard no_grad;
    outputs[i] = executor.run(std::vector{x})[0];
  });
  for (const at::Tensor& output : outputs) EXPECT_TRUE(output.equal(expected));
}

TEST(Executor, RefusesInputsOfTheWrongShape) {
  const Executor executor(classifier());
  EXPECT_EQ(user_error_of([&] {
              executor.run(std::vector{at::randn({2, 3, 5, 5})});
            }),
            "input x: expected shape [N, 2, 5, 5] (N is free), got '[2, 3, 5, 5]'");
}

TEST(Executor, ObservesEveryFloatValueByDefault) {
  const Network network =
      network_from_text("net (float[N, 2] x) => (float[N, 2] y) { a = Relu(x)  b = Shape(a)  c = ConstantOfShape(b)  y = Add(a, c) }");
  std::vector<std::string> seen;
  RunOptions options;
  options.observer = [&](ValueId id, const at::Tensor&) { seen.push_back(network.value(id).name); };
  Executor(network).run(std::vector{at::randn({3, 2})}, options);
  EXPECT_THAT(seen, ElementsAre("a", "c", "y"));
}

// Values by the definition in network.h, worked out by hand: scale 0.5, zero point 3, levels 0 to 7; 0.25 / 0.5 is a tie that goes to 0.
// As the ONNX specification of TopK says; at::topk picks any.
TEST(TopK, OfEqualElementsTheFirstComesFirst) {
  for (const bool largest : {true, false}) {
    const Network network =
        network_from_text("net (float[N, 40] x) => (float[N, 3] y, int64[N, 3] i) <int64[1] k = {3}> { y, i = TopK <axis = 1, largest = " +
                          std::to_string(largest) + "> (x, k) }");
    at::Tensor x = at::zeros({2, 40});
    x[0][30] = largest ? 1 : -1;
    const at::Tensor positions = Executor(network).run({{x}})[1];
    EXPECT_TRUE(at::equal(positions, at::tensor({30, 0, 1, 0, 1, 2}, at::kLong).reshape({2, 3}))) << positions;
  }
}

TEST(FakeQuantize, RoundsClampsAndPassesGradientsInsideTheRange) {
  Network network;
  const ValueId x = network.add_value({"x", DataType::kFloat32, {kDynamic}});
  const ValueId scale = network.add_constant("scale", Tensor::scalar(0.5f));
  const ValueId zero = network.add_constant("zero", Tensor::from<std::int32_t>({}, std::vector{3}));
  const ValueId y = network.add_value({"y", DataType::kFloat32, {kDynamic}});
  network.inputs = {x};
  network.outputs = {y};
  network.nodes = {
      {.name = "q",
       .op = "FakeQuantize",
       .domain = kLatheDomain,
       .inputs = {x, scale, zero},
       .outputs = {y},
       .attributes = {
           {"axis", std::int64_t{-1}}, {"quant_min", std::int64_t{0}}, {"quant_max", std::int64_t{7}}, {"bits", std::int64_t{3}}}}};
  validate(network);
  const Executor executor(network);
  const at::Tensor input = at::tensor(std::vector<float>{-9, -1.5f, 0.25f, 0.6f, 0.75f, 2, 2.4f}).requires_grad_(true);
  const at::Tensor output = executor.run(std::vector{input})[0];
  EXPECT_THAT(from_torch(output).to_floats(), ElementsAre(-1.5f, -1.5f, 0, 0.5f, 1, 2, 2));
  output.sum().backward();
  EXPECT_THAT(from_torch(input.grad()).to_floats(), ElementsAre(0, 1, 1, 1, 1, 1, 0));
  {
    const at::NoGradGuard no_grad;  // another code path
    EXPECT_THAT(from_torch(executor.run(std::vector{input})[0]).to_floats(), ElementsAre(-1.5f, -1.5f, 0, 0.5f, 1, 2, 2));
  }
}

// By hand: -1 to 2 in 255 steps of 3 / 255, zero point 85; 0.25 is 21.25 steps. Where all is zero there is nothing to divide by.
TEST(DynamicFakeQuantize, TakesItsRangeFromTheInput) {
  Network network;
  const ValueId x = network.add_value({"x", DataType::kFloat32, {kDynamic}});
  const ValueId y = network.add_value({"y", DataType::kFloat32, {kDynamic}});
  network.inputs = {x};
  network.outputs = {y};
  network.nodes = {{.name = "q", .op = "DynamicFakeQuantize", .domain = kLatheDomain, .inputs = {x}, .outputs = {y}, .attributes = {}}};
  validate(network);
  const Executor executor(network);
  const at::Tensor input = at::tensor(std::vector<float>{-1, 0.25f, 2, 0}).requires_grad_(true);
  const at::Tensor output = executor.run(std::vector{input})[0];
  EXPECT_THAT(from_torch(output).to_floats(), testing::Pointwise(testing::FloatNear(1e-6f), {-1.0f, 21 * 3 / 255.0f, 2.0f, 0.0f}));
  output.sum().backward();
  EXPECT_THAT(from_torch(input.grad()).to_floats(), ElementsAre(1, 1, 1, 1));
  EXPECT_THAT(from_torch(executor.run(std::vector{at::zeros({3})})[0]).to_floats(), ElementsAre(0, 0, 0));
}

// The fast path of inference computes what LibTorch's operators compute, per tensor and per channel.
TEST(FakeQuantize, IsTheSameWithAndWithoutGradients) {
  Network network;
  const ValueId x = network.add_value({"x", DataType::kFloat32, {kDynamic, 3, 4, 4}});
  const ValueId scale = network.add_constant("scale", Tensor::scalar(0.037f));
  const ValueId zero = network.add_constant("zero", Tensor::from<std::int32_t>({}, std::vector{11}));
  const ValueId scales = network.add_constant("scales", Tensor::from<float>({3}, std::vector{0.1f, 0.033f, 0.7f}));
  const ValueId zeros = network.add_constant("zeros", Tensor::from<std::int32_t>({3}, std::vector{0, 5, 9}));
  const ValueId a = network.add_value({"a", DataType::kFloat32, {kDynamic, 3, 4, 4}});
  const ValueId b = network.add_value({"b", DataType::kFloat32, {kDynamic, 3, 4, 4}});
  network.inputs = {x};
  network.outputs = {a, b};
  const auto quantize = [&](const std::string& name, ValueId s, ValueId z, ValueId out, std::int64_t axis) {
    return Node{.name = name,
                .op = "FakeQuantize",
                .domain = kLatheDomain,
                .inputs = {x, s, z},
                .outputs = {out},
                .attributes = {{"axis", axis}, {"quant_min", std::int64_t{0}}, {"quant_max", std::int64_t{15}}, {"bits", std::int64_t{4}}}};
  };
  network.nodes = {quantize("a", scale, zero, a, -1), quantize("b", scales, zeros, b, 1)};
  const Executor executor(network);
  const at::Tensor input = at::randn({64, 3, 4, 4});
  const std::vector<at::Tensor> with_gradients = executor.run(std::vector{input});
  const at::NoGradGuard no_grad;
  const std::vector<at::Tensor> without = executor.run(std::vector{input});
  for (std::size_t i = 0; i < 2; ++i) EXPECT_TRUE(with_gradients[i].equal(without[i])) << i;
}

TEST(FoldBatchNorm, GivesTheSameOutputs) {
  const Network network = classifier();
  const Network folded = fold_batch_norm(network);
  validate(folded);
  EXPECT_EQ(folded.nodes.size(), network.nodes.size() - 1);
  const at::NoGradGuard no_grad;
  const at::Tensor x = fixed_input(3);
  EXPECT_TRUE(Executor(folded).run(std::vector{x})[0].allclose(Executor(network).run(std::vector{x})[0], 1e-4, 1e-5));
}

// A grouped ConvTranspose spreads its output channels over two axes of the weight; a Gemm may scale its product and bias.
TEST(FoldBatchNorm, HandlesGroupedTransposedConvolutionAndGemm) {
  Rng rng(1, "fold");
  Network network;
  const auto constant = [&](const std::string& name, Shape shape, bool positive) {
    std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
    for (float& v : values) v = static_cast<float>(positive ? 0.5 + rng.uniform() : rng.normal());
    return network.add_constant(name, Tensor::from<float>(std::move(shape), values));
  };
  const auto norm = [&](const std::string& name, ValueId in, ValueId out, std::int64_t channels) {
    return Node{.name = name,
                .op = "BatchNormalization",
                .inputs = {in, constant(name + "g", {channels}, true), constant(name + "b", {channels}, false),
                           constant(name + "m", {channels}, false), constant(name + "v", {channels}, true)},
                .outputs = {out}};
  };
  const auto value = [&](const std::string& name, Shape shape) { return network.add_value({name, DataType::kFloat32, std::move(shape)}); };
  const ValueId x = value("x", {kDynamic, 4, 3, 3}), c = value("c", {kDynamic, 6, 5, 5}), n = value("n", {kDynamic, 6, 5, 5});
  const ValueId f = value("f", {kDynamic, 150}), g = value("g", {kDynamic, 3}), y = value("y", {kDynamic, 3});
  network.inputs = {x};
  network.outputs = {y};
  network.nodes.push_back({.name = "up",
                           .op = "ConvTranspose",
                           .inputs = {x, constant("w", {4, 3, 3, 3}, false)},
                           .outputs = {c},
                           .attributes = {{"group", std::int64_t{2}}}});
  network.nodes.push_back(norm("n1", c, n, 6));
  network.nodes.push_back({.name = "flat", .op = "Flatten", .inputs = {n}, .outputs = {f}});
  network.nodes.push_back({.name = "fc",
                           .op = "Gemm",
                           .inputs = {f, constant("v", {150, 3}, false), constant("u", {3}, false)},
                           .outputs = {g},
                           .attributes = {{"alpha", 0.5f}, {"beta", 2.0f}}});
  network.nodes.push_back(norm("n2", g, y, 3));
  const Network folded = fold_batch_norm(network);
  validate(folded);
  EXPECT_EQ(folded.nodes.size(), 3u);
  const at::NoGradGuard no_grad;
  const at::Tensor input = at::randn({2, 4, 3, 3});
  EXPECT_TRUE(Executor(folded).run(std::vector{input})[0].allclose(Executor(network).run(std::vector{input})[0], 1e-4, 1e-3));
}

TEST(FoldBatchNorm, LeavesALayerThatOthersReadToo) {
  const Network network = network_from_text(R"(net (float[N, 2, 4, 4] x, float[2, 2, 1, 1] w, float[2] p) => (float[N, 2, 4, 4] y) {
    c = Conv(x, w)  n = BatchNormalization(c, p, p, p, p)  y = Add(n, c) })");
  EXPECT_EQ(fold_batch_norm(network), network);
}

}  // namespace
}  // namespace lathe::models
