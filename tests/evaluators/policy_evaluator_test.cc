#include "evaluators/policy_evaluator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <cmath>
#include <limits>

#include "evaluators/accuracy.h"
#include "evaluators/calibration.h"
#include "evaluators/compute_device.h"
#include "models/base/error.h"
#include "models/operators.h"
#include "policies/quantize_network.h"
#include "tests/evaluators/trained_network.h"

namespace lathe::evaluators {
namespace {

using ::testing::HasSubstr;

PolicyEvaluator evaluator(AccuracyKind kind = AccuracyKind::kAccuracy) {
  return PolicyEvaluator(trained().network, trained().analysis, trained().data, {.search_kind = kind});
}

TEST(Predict, TakesTheLargestLogitAndTheFirstOfEquals) {
  const models::Network network = linear_network({{1, 0}, {0, 1}, {0, 0}}, {0, 0, 0});
  const Rows rows = float_rows({{3, 1}, {1, 3}, {-1, -1}, {2, 2}, {0, 0}}, {0, 0, 0, 0, 0});
  EXPECT_THAT(predict(models::Executor(network), rows, {.batch_size = 2}), testing::ElementsAre(0, 1, 2, 0, 0));
  EXPECT_DOUBLE_EQ(accuracy(network, rows), 0.6);
  EXPECT_THAT(predict(models::Executor(network), rows, {.rows = 2}), testing::ElementsAre(0, 1));
}

TEST(Answer, AveragesTheProbabilityOfTheExpectedClass) {
  const models::Network network = linear_network({{1, 0}, {0, 1}}, {0, 0});
  const Answers answers = answer(models::Executor(network), float_rows({{3, 1}, {1, 3}, {2, 2}}, {0, 0, 0}), {0, 0, 1}, {.batch_size = 2});
  EXPECT_THAT(answers.predictions, testing::ElementsAre(0, 1, 0));
  // softmax(3, 1)[0] = 1 / (1 + e^-2), softmax(1, 3)[0] = 1 / (1 + e^2), softmax(2, 2)[1] = 1/2
  EXPECT_NEAR(answers.expected_probability, (1 / (1 + std::exp(-2.0)) + 1 / (1 + std::exp(2.0)) + 0.5) / 3, 1e-6);
}

// 1,000 rows of which one in four is right: with a bar of 0.5 the first look, after the batch that passes 200 rows, is enough; a bar of
// 0.27 is within reach of every look.
TEST(Answer, StopsWhereTheBarIsOutOfReach) {
  const models::Network network = linear_network({{1, 0}, {0, 1}}, {0, 0});
  std::vector<std::vector<float>> inputs(1000, {3, 1});
  std::vector<std::int64_t> expected(1000, 1);
  for (std::size_t i = 0; i < expected.size(); i += 4) expected[i] = 0;
  const Rows rows = float_rows(inputs, expected);
  const models::Executor executor(network);
  EXPECT_EQ(answer(executor, rows, expected, {.batch_size = 50, .bar = 0.5}).predictions.size(), 200U);
  EXPECT_EQ(answer(executor, rows, expected, {.batch_size = 64, .bar = 0.5}).predictions.size(), 256U);
  EXPECT_EQ(answer(executor, rows, expected, {.batch_size = 50, .bar = 0.27}).predictions.size(), 1000U);
  EXPECT_EQ(answer(executor, rows, expected, {.batch_size = 50}).predictions.size(), 1000U);
  EXPECT_NEAR(answer(executor, rows, expected, {.batch_size = 50, .bar = 0.5}).expected_probability,
              0.25 / (1 + std::exp(-2.0)) + 0.75 / (1 + std::exp(2.0)), 1e-6);
}

TEST(Predict, RefusesNumbersThatAreNotFinite) {
  const models::Network network = linear_network({{1, 0}, {0, 1}}, {0, std::numeric_limits<float>::infinity()});
  EXPECT_THROW(predict(models::Executor(network), float_rows({{1, 2}}, {0})), std::runtime_error);
}

// Batches (1, 3 | 5, 9) of one feature through a BatchNormalization: means 2 and 7, unbiased variances 2 and 8; the running statistics
// become their means 4.5 and 5, whatever they were.
TEST(RecalibrateBatchNorm, AveragesTheStatisticsOfTheBatches) {
  models::Network network{.name = "bn"};
  using models::Tensor;
  const auto x = network.add_value({"x", models::DataType::kFloat32, {models::kDynamic, 1, 1, 1}});
  const auto constant = [&](const char* name, float value) {
    return network.add_constant(name, Tensor::from<float>({1}, std::vector<float>{value}));
  };
  const auto scale = constant("scale", 1), bias = constant("bias", 0), mean = constant("mean", 100), variance = constant("variance", 7);
  const auto y = network.add_value({"y", models::DataType::kFloat32, {models::kDynamic, 1, 1, 1}});
  network.nodes.push_back({.name = "bn", .op = "BatchNormalization", .inputs = {x, scale, bias, mean, variance}, .outputs = {y}});
  network.inputs = {x};
  network.outputs = {y};
  Rows rows = float_rows({{1}, {3}, {5}, {9}}, {0, 0, 0, 0});
  rows.inputs[0] = rows.inputs[0].view({4, 1, 1, 1});
  const models::Network recalibrated = recalibrate_batch_norm(network, rows, 2);
  EXPECT_FLOAT_EQ(recalibrated.constants.at(mean).values<float>()[0], 4.5F);
  EXPECT_FLOAT_EQ(recalibrated.constants.at(variance).values<float>()[0], 5.0F);
  EXPECT_EQ(recalibrated.constants.at(scale), network.constants.at(scale));
}

TEST(CalibrateActivations, FindsTheExtremesOfInputsAndOfInnerValues) {
  models::Network network = linear_network({{1, 0}, {0, 1}}, {0.5F, 0});
  const Rows rows = float_rows({{3, 1}, {-1, 7}, {0, 0}}, {0, 0, 0});
  const policies::ActivationPlan plan{.points = {{network.inputs[0], 8, {0}}, {network.outputs[0], 8, {}}}};
  const auto ranges = calibrate_activations(network, plan, rows, policies::RangeMethod::kMinMax, 2);
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0], (policies::Range{-1, 7}));
  EXPECT_EQ(ranges[1], (policies::Range{-0.5, 7}));
}

TEST(PolicyEvaluator, GivesTheFloatNetworksAccuracyForAnEmptyPolicy) {
  const auto e = evaluator();
  const Evaluation reference = e.reference(Split::kTest), evaluation = e.evaluate({.split = Split::kTest});
  ASSERT_TRUE(evaluation.is_ok) << evaluation.error;
  EXPECT_GT(reference.accuracy, 0.9);
  EXPECT_DOUBLE_EQ(reference.accuracy, accuracy(trained().network, trained().data.test));
  // Folding BatchNormalization moves the last bits, which may turn a close call.
  EXPECT_NEAR(evaluation.accuracy, reference.accuracy, 1.0 / 400);
  EXPECT_EQ(evaluation.samples, 400);
  EXPECT_EQ(evaluation.interval, wilson_interval(std::llround(evaluation.accuracy * 400), 400));
}

TEST(PolicyEvaluator, LosesLittleAtEightBitsAndMuchAtTwo) {
  const auto e = evaluator();
  const double reference = e.reference(Split::kSearch).accuracy;
  EXPECT_NEAR(e.evaluate({.policy = uniform(1, 8)}).accuracy, reference, 0.02);
  EXPECT_LT(e.evaluate({.policy = uniform(1, 2)}).accuracy, reference);
  EXPECT_LT(e.evaluate({.policy = uniform(0.25, 8)}).accuracy, reference);
}

TEST(PolicyEvaluator, CountsAgreementOnTheSearchSplitOnly) {
  const auto e = evaluator(AccuracyKind::kAgreement);
  EXPECT_EQ(e.reference(Split::kSearch).accuracy, 1);
  EXPECT_EQ(e.reference(Split::kTest).accuracy, evaluator().reference(Split::kTest).accuracy);
  EXPECT_GT(e.evaluate({.policy = uniform(1, 8)}).accuracy, 0.95);
}

TEST(PolicyEvaluator, TakesTheFirstRowsAtLowerFidelity) {
  const auto e = evaluator();
  const Evaluation all = e.evaluate({.policy = uniform(1, 4)}), some = e.evaluate({.policy = uniform(1, 4), .rows = 50});
  ASSERT_EQ(some.correct.size(), 50U);
  EXPECT_TRUE(std::equal(some.correct.begin(), some.correct.end(), all.correct.begin()));
  const Evaluation later = e.evaluate({.policy = uniform(1, 4), .rows = 80, .first_row = 50});
  ASSERT_EQ(later.correct.size(), 30U);
  EXPECT_TRUE(std::equal(later.correct.begin(), later.correct.end(), all.correct.begin() + 50));
}

TEST(PolicyEvaluator, TurnsBadPoliciesIntoFailedEvaluations) {
  policies::Policy policy;
  policy.groups = {{.name = "no_such_group", .keep_ratio = 0.5}};
  const Evaluation group = evaluator().evaluate({.policy = policy});
  EXPECT_FALSE(group.is_ok);
  EXPECT_THAT(group.error, HasSubstr("no_such_group"));
  policy = uniform(1, 8);
  policy.layers[0].name = "no_such_layer";
  EXPECT_THAT(evaluator().evaluate({.policy = policy}).error, HasSubstr("no_such_layer"));
}

TEST(PolicyEvaluator, DoesNotDependOnTheThreads) {
  const auto e = evaluator();
  const std::vector<policies::Policy> policies{uniform(0.5, 8), uniform(1, 4), uniform(0.5, 4), uniform(0.75, 8)};
  std::vector<Evaluation> serial, parallel(policies.size());
  for (const auto& policy : policies) serial.push_back(e.evaluate({.policy = policy}));
  tbb::task_arena(2).execute([&] {
    tbb::parallel_for(std::size_t{0}, policies.size(), [&](std::size_t i) { parallel[i] = e.evaluate({.policy = policies[i]}); });
  });
  for (std::size_t i = 0; i < policies.size(); ++i) {
    ASSERT_TRUE(serial[i].is_ok) << serial[i].error;
    EXPECT_EQ(serial[i].correct, parallel[i].correct);
  }
}

TEST(PolicyEvaluator, CountsOnAGpuWhatItCountsOnTheCpu) {
  if (gpu_count() == 0) GTEST_SKIP() << "this LibTorch finds no GPU";
  PolicyEvaluatorOptions options;
  options.compression.device = "cuda";
  const PolicyEvaluator on_gpu(trained().network, trained().analysis, trained().data, options);
  const PolicyEvaluator on_cpu = evaluator();
  for (const auto& policy : {uniform(1, 8), uniform(0.5, 8), uniform(1, 4)}) {
    const Evaluation gpu = on_gpu.evaluate({.policy = policy}), cpu = on_cpu.evaluate({.policy = policy});
    ASSERT_TRUE(gpu.is_ok) << gpu.error;
    // The order of sums differs, which may turn a close call.
    EXPECT_NEAR(gpu.accuracy, cpu.accuracy, 0.01);
  }
}

TEST(ComputeDevice, SharesTheGpusOfAHostAmongItsProcesses) {
  EXPECT_EQ(device_of_process("cuda", 0, 4), "cuda:0");
  EXPECT_EQ(device_of_process("cuda", 3, 4), "cuda:3");
  EXPECT_EQ(device_of_process("cuda", 4, 4), "cuda:0");
  EXPECT_EQ(device_of_process("cpu", 3, 4), "cpu");
}

// The statistics follow the rounded weights, and the weights themselves stay what they were: rounding by channel and scaling by
// BatchNormalization commute.
TEST(CompressSimulated, RecalibratesForRoundedWeights) {
  const auto& [data, network, analysis] = trained();
  CompressionOptions with, without;
  without.recalibrate_batch_norm = false;
  const auto corrected = compress_simulated(network, analysis, uniform(1, 2), data, with);
  const auto plain = compress_simulated(network, analysis, uniform(1, 2), data, without);
  EXPECT_GT(accuracy(corrected, data.test), accuracy(plain, data.test) + 0.02);

  const auto integers = [](const models::Network& quantized) {
    std::vector<std::vector<std::int32_t>> result;
    for (const auto& node : quantized.nodes) {
      if (node.op != "FakeQuantize" || !quantized.is_constant(node.inputs[0])) continue;
      const auto axis = models::int_attribute(node, "axis", -1);
      result.push_back(policies::quantize(quantized.constants.at(node.inputs[0]), policies::parameters_of(quantized, node), axis));
    }
    return result;
  };
  const auto a = integers(corrected), b = integers(plain);
  ASSERT_EQ(a.size(), b.size());
  ASSERT_FALSE(a.empty());
  std::int64_t different = 0, total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    total += static_cast<std::int64_t>(a[i].size());
    for (std::size_t j = 0; j < a[i].size(); ++j) different += a[i][j] != b[i][j] ? 1 : 0;
  }
  // Only weights that lie on the border of two levels to the last bit may differ.
  EXPECT_LE(different, total / 1000);
}

TEST(CompressDelivered, PredictsAsTheSimulation) {
  for (const auto& policy : {uniform(0.5, 8), uniform(0.75, 4)}) {
    const auto& [data, network, analysis] = trained();
    const auto simulated = predict(models::Executor(compress_simulated(network, analysis, policy, data)), data.test);
    const auto delivered = predict(models::Executor(compress_delivered(network, analysis, policy, data)), data.test);
    const auto same = matches(simulated, delivered);
    // Biases as int32 and other roundings may turn a few close calls.
    EXPECT_GE(std::count(same.begin(), same.end(), 1), 392) << "of 400";
  }
}

}  // namespace
}  // namespace lathe::evaluators
