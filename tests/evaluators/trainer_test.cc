#include "evaluators/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "evaluators/accuracy.h"
#include "evaluators/internal/optimizer.h"
#include "models/base/error.h"
#include "tests/evaluators/small_networks.h"

namespace lathe::evaluators {
namespace {

using ::testing::HasSubstr;

std::vector<float> constant_of(const models::Network& network, const std::string& name) {
  for (const auto& [id, tensor] : network.constants) {
    if (network.value(id).name == name) return tensor.to_floats();
  }
  return {};
}

void expect_near(const std::vector<float>& actual, const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], tolerance) << "element " << i;
}

const std::vector<std::vector<float>> kInputs{{1, 0, 2}, {0, 1, -1}, {2, 1, 0}, {-1, 1, 1}};
const std::vector<std::vector<float>> kWeight{{0.5F, -0.25F, 0.1F}, {-0.2F, 0.3F, 0.4F}};

TrainOptions linear_options() {
  return {.epochs = 3,
          .batch_size = 4,
          .learning_rate = 0.2,
          .momentum = 0.9,
          .nesterov = true,
          .weight_decay = 0.01,
          .warmup_epochs = 0,
          .label_smoothing = 0.1};
}

// Three steps computed in numpy (float64): softmax cross-entropy with smoothed targets, its gradient (p - t) X / n, decay on W only,
// v = 0.9 v + g, w -= rate (g + 0.9 v), rates 0.2 * (1 + cos(pi step / 3)) / 2. The loss of the first step is 1.0127205.
TEST(Train, TakesTheStepsOfNesterovsSgdWithCosineRate) {
  double first_loss = 0;
  const auto progress = [&](const TrainProgress& p) {
    if (p.step == 1) first_loss = p.loss;
    return true;
  };
  const auto result = train(linear_network(kWeight, {0.1F, -0.1F}), float_rows(kInputs, {0, 1, 1, 0}), linear_options(), progress);
  EXPECT_NEAR(first_loss, 1.0127204858658332, 1e-6);
  EXPECT_EQ(result.summary.steps, 3);
  expect_near(constant_of(result.network, "w"), {0.12358574, -0.32107361, 0.50842405, 0.17354486, 0.37059538, -0.01320639}, 2e-6);
  expect_near(constant_of(result.network, "b"), {0.10468999, -0.10468999}, 2e-6);
}

TEST(Train, AddsTheGradientsOfItsShards) {
  TrainOptions options = linear_options();
  options.shards = 3;  // of 1, 1 and 2 rows
  const auto result = train(linear_network(kWeight, {0.1F, -0.1F}), float_rows(kInputs, {0, 1, 1, 0}), options);
  expect_near(constant_of(result.network, "w"), {0.12358574, -0.32107361, 0.50842405, 0.17354486, 0.37059538, -0.01320639}, 2e-6);
}

// torch.optim.AdamW of PyTorch 2 on the same problem, decay on W only.
TEST(Train, TakesTheStepsOfAdamW) {
  TrainOptions options = linear_options();
  options.optimizer = "adamw";
  const auto result = train(linear_network(kWeight, {0.1F, -0.1F}), float_rows(kInputs, {0, 1, 1, 0}), options);
  expect_near(constant_of(result.network, "w"), {0.10990234, -0.46237318, 0.49669042, 0.18889909, 0.51217342, 0.00131196}, 2e-6);
  expect_near(constant_of(result.network, "b"), {0.05204481, -0.05204481}, 2e-6);
}

// The first step of AdamW is its learning rate whatever the gradient, here times the parameter's factor.
TEST(Optimizer, MultipliesAdamWsStepsByTheirFactors) {
  const at::Tensor plain = at::tensor({1.0}, at::kDouble), scale = at::tensor({1.0}, at::kDouble);
  const auto optimizer = internal::make_optimizer({.optimizer = "adamw"}, {plain, scale}, {1, 0.02});
  optimizer->step({at::tensor({3.0}, at::kDouble), at::tensor({-5.0}, at::kDouble)}, 0.1);
  EXPECT_NEAR(plain.item().toDouble(), 0.9, 1e-6);
  EXPECT_NEAR(scale.item().toDouble(), 1.002, 1e-8);
}

// Student logits ((1, 2, 0.5), (0, -1, 1)), teacher ((2, 1, 0), (1, 1, -1)), labels 1 and 0, temperature 2: T^2 KL = 0.8020398,
// cross-entropy 0.9359874; a quarter and three quarters of them are 0.9025005 (numpy).
TEST(Train, MixesDistillationAndLabels) {
  const Rows rows = float_rows({{1, 0}, {0, 1}}, {1, 0});
  const models::Network student = linear_network({{1, 0}, {2, -1}, {0.5F, 1}}, {0, 0, 0});
  const models::Network teacher = linear_network({{2, 1}, {1, 1}, {0, -1}}, {0, 0, 0});
  double loss = 0;
  TrainOptions options{.epochs = 1, .batch_size = 2, .warmup_epochs = 0, .distillation_weight = 0.25, .distillation_temperature = 2};
  train(
      student, rows, options,
      [&](const TrainProgress& p) {
        loss = p.loss;
        return true;
      },
      &teacher);
  EXPECT_NEAR(loss, 0.9025004699464114, 1e-6);
}

// sum = x W' + x, which is also the output.
models::Network residual_network(const std::vector<std::vector<float>>& weight) {
  models::Network network = linear_network(weight, std::vector<float>(weight.size(), 0));
  const auto sum = network.add_value({"sum", models::DataType::kFloat32, network.value(network.outputs[0]).shape});
  network.nodes.push_back({.name = "add", .op = "Add", .inputs = {network.outputs[0], network.inputs[0]}, .outputs = {sum}});
  network.outputs = {sum};
  return network;
}

// Student sums ((1.5, 1), (-1, 1.25)), teacher ((2, 0), (0, 2)): |h - h'|^2 / |h'|^2 = 2.8125 / 8, half of which is added to the
// cross-entropy of labels 1 and 0 (Python).
TEST(Train, ComparesFeaturesWithTheTeachers) {
  const Rows rows = float_rows({{1, 0}, {0, 1}}, {1, 0});
  const models::Network student = residual_network({{0.5F, -1}, {1, 0.25F}}), teacher = residual_network({{1, 0}, {0, 1}});
  double loss = 0;
  TrainOptions options{.epochs = 1, .batch_size = 2, .warmup_epochs = 0, .feature_distillation = 0.5};
  const auto result = train(
      student, rows, options,
      [&](const TrainProgress& p) {
        loss = p.loss;
        return true;
      },
      &teacher);
  EXPECT_NEAR(loss, 1.8379230215484268, 1e-6);
  EXPECT_EQ(result.network.outputs, student.outputs) << "what was compared is no output afterwards";
  // Without sums of equal shape labels are all there is.
  const auto trained = [&](double weight) {
    options.feature_distillation = weight;
    return train(linear_network(kWeight, {0, 0}), float_rows(kInputs, {0, 1, 1, 0}), options, {}, &teacher).network;
  };
  EXPECT_EQ(trained(0.5), trained(0));
}

TEST(LearningRate, WarmsUpLinearlyAndFallsAsACosine) {
  const TrainOptions options{.learning_rate = 0.8};
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 0, 100, 4), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 3, 100, 4), 0.8);
  EXPECT_DOUBLE_EQ(learning_rate_at(options, 4, 100, 4), 0.8);
  EXPECT_NEAR(learning_rate_at(options, 52, 100, 4), 0.4, 1e-12);
  EXPECT_LT(learning_rate_at(options, 99, 100, 4), 0.001);
  EXPECT_GT(learning_rate_at(options, 0, 2, 1000), 0) << "warm-up longer than the training is cut";
}

TrainOptions stripe_options() {
  return {.epochs = 6,
          .batch_size = 32,
          .learning_rate = 0.1,
          .warmup_epochs = 1,
          .augmentation = {.crop_padding = 1, .horizontal_flip = true},
          .seed = 11};
}

TEST(Train, LearnsToTellStripesApart) {
  const Dataset data = stripes_dataset();
  const models::Network network = small_resnet();
  EXPECT_LT(accuracy(network, data.test), 0.6);
  const auto result = train(network, data.train, stripe_options());
  EXPECT_GT(accuracy(result.network, data.test), 0.9);
  EXPECT_LT(result.summary.final_loss, 0.5 * result.summary.first_loss);
  EXPECT_EQ(result.summary.steps, 6 * (600 / 32));
}

TEST(Train, IsTheSameForEveryNumberOfThreads) {
  const Dataset data = stripes_dataset();
  TrainOptions options = stripe_options();
  options.epochs = 0.5;
  options.shards = 2;
  options.ema_decay = 0.9;
  tbb::global_control two(tbb::global_control::max_allowed_parallelism, 2);
  const auto on = [&](int threads) {
    return tbb::task_arena(threads).execute([&] { return train(small_resnet(), data.train, options).network; });
  };
  const models::Network serial = on(1);
  EXPECT_TRUE(serial == on(2));
  EXPECT_TRUE(serial == on(2));
  options.seed = 12;
  EXPECT_FALSE(serial == on(1));
}

TEST(Train, StopsWhenTheCallbackSaysSo) {
  const auto result =
      train(small_resnet(), stripes(64, 1), {.epochs = 50, .batch_size = 32}, [](const TrainProgress& p) { return p.step < 3; });
  EXPECT_TRUE(result.summary.is_stopped);
  EXPECT_EQ(result.summary.steps, 3);
}

TEST(Train, ReportsDivergence) {
  Rows rows = float_rows({{1e30F, 0, 2e30F}, {0, 1e30F, -1}}, {0, 1});
  try {
    train(linear_network(kWeight, {0, 0}), rows, {.epochs = 100, .batch_size = 2, .learning_rate = 1000});
    FAIL();
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("diverged"));
  }
}

TEST(TrainOptions, NamesEachBadOption) {
  const auto error = [](const TrainOptions& options) -> std::string {
    try {
      options.validate();
    } catch (const UserError& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(error({}), "no error");
  EXPECT_THAT(error({.epochs = 0, .momentum = 1}), AllOf(HasSubstr("epochs"), HasSubstr("momentum")));
  EXPECT_THAT(error({.learning_rate = std::nan("")}), HasSubstr("learning_rate"));
  EXPECT_THAT(error({.batch_size = 4, .shards = 5}), HasSubstr("shards"));
  EXPECT_THAT(error({.device = "gpu"}), AllOf(HasSubstr("device"), HasSubstr("cpu or cuda"), HasSubstr("'gpu'")));
  EXPECT_THROW(train(small_resnet(), Rows{}, {}), UserError);
}

}  // namespace
}  // namespace lathe::evaluators
