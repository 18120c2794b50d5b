#include "evaluators/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "evaluators/accuracy.h"
#include "evaluators/internal/learned_scales.h"
#include "models/base/error.h"
#include "models/executor.h"
#include "models/learned_scales.h"
#include "models/onnx_reader.h"
#include "models/onnx_writer.h"
#include "policies/quantize_network.h"
#include "tests/evaluators/trained_network.h"

namespace lathe::evaluators {
namespace {

RecoveryOptions recovery_options() {
  RecoveryOptions options;
  options.training.batch_size = 32;
  options.fine_tune_epochs = 2;
  options.qat_epochs = 1;
  return options;
}

TEST(Recover, WinsBackAccuracy) {
  const auto& [data, network, analysis] = trained();
  const policies::Policy policy = uniform(0.25, 2);
  const double before = accuracy(compress_simulated(network, analysis, policy, data), data.test);
  std::vector<std::string> stages;
  const auto result = recover(network, analysis, policy, data, recovery_options(), [&](const RecoveryProgress& p) {
    if (stages.empty() || stages.back() != p.stage) stages.push_back(p.stage);
    return true;
  });
  EXPECT_THAT(stages, testing::ElementsAre("fine-tuning", "quantization-aware training"));
  const double after = accuracy(result.simulated, data.test);
  EXPECT_LT(before, 0.8);
  EXPECT_GT(after, before + 0.1);
  EXPECT_NEAR(accuracy(result.delivered, data.test), after, 0.02);
}

TEST(Recover, IsDeterministic) {
  const auto& [data, network, analysis] = trained();
  RecoveryOptions options = recovery_options();
  options.fine_tune_epochs = 0.3;
  options.qat_epochs = 0.3;
  const auto first = recover(network, analysis, uniform(0.5, 4), data, options),
             second = recover(network, analysis, uniform(0.5, 4), data, options);
  EXPECT_TRUE(first.simulated == second.simulated);
  EXPECT_TRUE(first.delivered == second.delivered);
}

// Straight-through training moves weights through FakeQuantize: one layer of logits x w, quantized to 2 bits (levels -1, 0, 1 times the
// scale), must still learn.
TEST(Recover, TrainsThroughFakeQuantize) {
  const auto& [data, network, analysis] = trained();
  RecoveryOptions options = recovery_options();
  options.fine_tune_epochs = 0;
  options.qat_epochs = 3;
  options.qat_learning_rate = 0.01;
  options.compression.recalibrate_batch_norm = false;  // leaves something to learn
  const policies::Policy policy = uniform(1, 2);
  const double before = accuracy(compress_simulated(network, analysis, policy, data, options.compression), data.test);
  const double after = accuracy(recover(network, analysis, policy, data, options).simulated, data.test);
  EXPECT_GT(after, before + 0.05);
}

TEST(Recover, WithoutEpochsIsPlainCompression) {
  auto [data, network, analysis] = trained();
  data.train = {};
  RecoveryOptions options = recovery_options();
  EXPECT_THROW(recover(network, analysis, uniform(0.5, 8), data, options), UserError);
  options.fine_tune_epochs = options.qat_epochs = 0;
  const auto result = recover(network, analysis, uniform(0.5, 8), data, options);
  EXPECT_TRUE(result.simulated == compress_simulated(network, analysis, uniform(0.5, 8), data, options.compression));
}

// Weights [2, 3] by channel at 2 bits (Qp = 1) and an activation of 12 elements a row at 2 bits unsigned (Qp = 3). Scales and gradient
// scales by the formulas of learned_scales.h, worked out by hand: channel 0 has <|w|> = 0.5, so that 2 * 0.5 is cut to max|w| = 0.6; in
// channel 1 the largest weight stands far out, and 2 * 0.7 holds.
struct QuantizedValues {
  models::Network network;
  models::ValueId of_weight, of_activation;  // their scales
};

QuantizedValues quantized_values(int low) {
  models::Network network{.name = "quantized"};
  const auto x = network.add_value({"x", models::DataType::kFloat32, {models::kDynamic, 4, 3}});
  const auto w = network.add_constant("w", models::Tensor::from<float>({2, 3}, std::vector<float>{0.3F, -0.6F, 0.6F, -2, 0.05F, 0.05F}));
  const auto quantize = [&](models::ValueId input, std::vector<float> scale, std::int64_t axis, int low, int high, models::Shape shape) {
    const auto count = static_cast<std::int64_t>(scale.size());
    const models::Shape of_scale = axis < 0 ? models::Shape{} : models::Shape{count};
    const auto s = network.add_constant("s", models::Tensor::from<float>(of_scale, scale));
    const auto z = network.add_constant("z", models::Tensor::from<std::int32_t>(of_scale, std::vector<std::int32_t>(scale.size(), 0)));
    const auto y = network.add_value({"y", models::DataType::kFloat32, std::move(shape)});
    network.nodes.push_back(
        {.name = "q" + std::to_string(y),
         .op = "FakeQuantize",
         .domain = models::kLatheDomain,
         .inputs = {input, s, z},
         .outputs = {y},
         .attributes = {{"axis", axis}, {"quant_min", std::int64_t{low}}, {"quant_max", std::int64_t{high}}, {"bits", std::int64_t{3}}}});
    return s;
  };
  const auto of_weight = quantize(w, {9, 9}, 0, -1, 1, {2, 3}),
             of_activation = quantize(x, {0.25F}, -1, low, low + 3, {models::kDynamic, 4, 3});
  network.inputs = {x};
  network.outputs = {network.nodes[0].outputs[0], network.nodes[1].outputs[0]};
  return {network, of_weight, of_activation};
}

TEST(LearnedScales, StartAsThePapersSay) {
  const auto [network, of_weight, of_activation] = quantized_values(0);
  const models::Network lsq = internal::with_lsq_scales(network);
  EXPECT_THAT(lsq.constants.at(of_weight).to_floats(), testing::ElementsAre(testing::FloatEq(0.6F), testing::FloatEq(1.4F)));
  EXPECT_EQ(lsq.constants.at(of_activation), network.constants.at(of_activation)) << "calibrated";
  EXPECT_FLOAT_EQ(models::float_attribute(lsq.nodes[0], "gradient_scale", 0), 1 / std::sqrt(3.0F));
  EXPECT_FLOAT_EQ(models::float_attribute(lsq.nodes[1], "gradient_scale", 0), 1 / std::sqrt(12.0F * 3));

  EXPECT_NEAR(internal::scale_step_factors(lsq).at(of_weight), 5 * 1.0, 1e-6) << "five times their mean";
  EXPECT_NEAR(internal::scale_step_factors(lsq).at(of_activation), 5 * 0.25, 1e-6);

  const models::Network pact = internal::with_pact_scales(network);
  EXPECT_FALSE(models::learns_scale(pact.nodes[0]));
  EXPECT_FLOAT_EQ(models::float_attribute(pact.nodes[1], "gradient_scale", 0), 1 / 9.0F);
  EXPECT_EQ(internal::with_fixed_scales(pact), network);
}

// LSQ+, section 3.2.1: |mean| + 3 deviations over 2^(b-1) = 2, by numpy. Levels -1 .. 2 with zero point 0 have one below zero: the
// activation's offset learns. What it learned is delivered as the nearest integer: of 0.3 / 0.25 = 1.2 it is 1.
TEST(LearnedScales, OffsetsBecomeZeroPoints) {
  const auto [network, of_weight, of_activation] = quantized_values(-1);
  models::Network learning = internal::with_lsq_plus_scales(network);
  EXPECT_THAT(learning.constants.at(of_weight).to_floats(),
              testing::ElementsAre(testing::FloatNear(0.8148529F, 1e-6F), testing::FloatNear(1.7662356F, 1e-6F)));
  EXPECT_FALSE(models::learns_offset(learning.nodes[0]));
  ASSERT_TRUE(models::learns_offset(learning.nodes[1]));
  models::Tensor& offset = learning.constants.at(learning.nodes[1].inputs[3]);
  EXPECT_EQ(offset.to_floats(), std::vector<float>{0});
  offset = models::Tensor::from<float>({}, std::vector<float>{-0.3F});
  const models::Network fixed = internal::with_fixed_scales(learning);
  EXPECT_EQ(policies::parameters_of(fixed, fixed.nodes[1]).zero_point, std::vector<std::int32_t>{1});
  EXPECT_EQ(fixed.nodes[1].inputs.size(), 3U);

  const auto behind_relu = quantized_values(0);
  EXPECT_FALSE(models::learns_offset(internal::with_lsq_plus_scales(behind_relu.network).nodes[1])) << "nothing lies below zero";
}

policies::Policy sparse_and_narrow() {
  policies::Policy policy = uniform(0.75, 4);
  for (auto& layer : policy.layers) {
    layer.sparsity = 0.7;
    layer.pattern = "unstructured";
  }
  return policy;
}

RecoveryOptions staged_options() {
  RecoveryOptions options = recovery_options();
  options.stages = {{.part = PolicyPart::kChannels, .epochs = 0.3},
                    {.part = PolicyPart::kSparsity, .epochs = 0.9, .steps = 3},
                    {.part = PolicyPart::kWidths, .epochs = 0.3, .learning_rate = 0.01}};
  options.qat_method = "lsq";
  return options;
}

std::int64_t zero_weights(const models::Network& network) {
  std::int64_t zeros = 0;
  for (const auto& node : network.nodes) {
    const int input = models::weight_input(network, node);
    if (input < 0) continue;
    const auto values = network.constants.at(node.inputs[static_cast<std::size_t>(input)]).to_floats();
    zeros += std::count(values.begin(), values.end(), 0.0F);
  }
  return zeros;
}

// Channels, then three steps of sparsity, then widths, each with its training; zeros only become more.
TEST(Recover, GoesThroughItsStages) {
  const auto& [data, network, analysis] = trained();
  std::vector<std::string> names;
  std::map<std::string, models::Network> reached;
  const RecoveryCheckpoints checkpoints{.save = [&](const std::string& key, const models::Network& now) { reached[key] = now; }};
  const auto progress = [&](const RecoveryProgress& p) {
    if (names.empty() || names.back() != p.stage) names.push_back(p.stage);
    return true;
  };
  const auto result = recover(network, analysis, sparse_and_narrow(), data, staged_options(), progress, checkpoints);
  EXPECT_THAT(names, testing::ElementsAre("fine-tuning", "fine-tuning at sparsity 1 of 3", "fine-tuning at sparsity 2 of 3",
                                          "fine-tuning at sparsity 3 of 3", "quantization-aware training"));
  EXPECT_EQ(zero_weights(reached.at("channels 1 of 1")), 0);
  const std::int64_t first = zero_weights(reached.at("sparsity 1 of 3")), second = zero_weights(reached.at("sparsity 2 of 3")),
                     third = zero_weights(reached.at("sparsity 3 of 3"));
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_GE(zero_weights(policies::bake_weight_quantization(result.simulated)), third) << "zeros stay through the last stage";
  EXPECT_GT(accuracy(result.simulated, data.test), 0.7);
}

// A recovery that was cut short goes on from its last checkpoint, kept as an ONNX file, to the same network.
TEST(Recover, ResumesFromCheckpoints) {
  const auto& [data, network, analysis] = trained();
  std::map<std::string, std::string> kept;
  const auto save = [&](const std::string& key, const models::Network& now) { kept[key] = models::serialize_onnx(now); };
  const auto whole = recover(network, analysis, sparse_and_narrow(), data, staged_options(), {}, {.load = {}, .save = save});
  kept.erase("sparsity 3 of 3");
  std::vector<std::string> trained_again;
  const RecoveryCheckpoints checkpoints{
      .load =
          [&](const std::string& key) { return kept.contains(key) ? std::optional(models::parse_onnx(kept.at(key), key)) : std::nullopt; },
      .save = [&](const std::string& key, const models::Network&) { trained_again.push_back(key); }};
  const auto resumed = recover(network, analysis, sparse_and_narrow(), data, staged_options(), {}, checkpoints);
  EXPECT_THAT(trained_again, testing::ElementsAre("sparsity 3 of 3"));
  EXPECT_EQ(models::serialize_onnx(resumed.delivered), models::serialize_onnx(whole.delivered));
}

struct Setting {
  const char* method;
  const char* optimizer;
  double ema_decay;
};

class RecoverInterrupted : public testing::TestWithParam<Setting> {
 protected:
  RecoverInterrupted() {
    options_.qat_method = GetParam().method;
    options_.training.optimizer = GetParam().optimizer;
    options_.training.ema_decay = GetParam().ema_decay;
    options_.training.shards = 2;
    options_.stages = {{.part = PolicyPart::kSparsity, .epochs = 0.6, .steps = 2}, {.part = PolicyPart::kWidths, .epochs = 1.2}};
  }
  RecoveryResult run(const std::function<bool(const RecoveryProgress&)>& progress, const RecoveryCheckpoints& checkpoints) const {
    return recover(trained().network, trained().analysis, sparse_and_narrow(), trained().data, options_, progress, checkpoints);
  }
  RecoveryOptions options_ = recovery_options();
};

// As when the process is killed: an exception leaves the training at every fourth step, in the middle of epochs and at any stage, before
// that step's state is kept; the next recovery goes on from the third.
TEST_P(RecoverInterrupted, GoesOnInTheMiddleOfAnEpoch) {
  struct Killed {};
  std::map<std::string, std::string> networks, states;
  const auto found = [](const auto& kept, const std::string& key) {
    return kept.contains(key) ? std::optional(kept.at(key)) : std::nullopt;
  };
  const RecoveryCheckpoints checkpoints{
      .load =
          [&](const std::string& key) {
            const auto onnx = found(networks, key);
            return onnx ? std::optional(models::parse_onnx(*onnx, key)) : std::nullopt;
          },
      .save = [&](const std::string& key, const models::Network& now) { networks[key] = models::serialize_onnx(now); },
      .load_state = [&](const std::string& key) { return found(states, key); },
      .save_state =
          [&](const std::string& key, const std::string& bytes) {
            if (bytes.empty()) {
              states.erase(key);
            } else {
              states[key] = bytes;
            }
          },
      .save_interval_s = 0};
  std::map<std::string, std::vector<std::int64_t>> steps;  // that were taken, by stage
  std::optional<RecoveryResult> resumed;
  int kills = 0;
  for (; !resumed && kills < 100; ++kills) {
    int calls = 0;
    try {
      resumed = run(
          [&](const RecoveryProgress& now) {
            if (++calls == 4) throw Killed{};
            steps[now.stage].push_back(now.progress.step);
            return true;
          },
          checkpoints);
    } catch (const Killed&) {
    }
  }
  ASSERT_TRUE(resumed.has_value());
  EXPECT_GT(kills, 8);
  EXPECT_TRUE(states.empty()) << "of trainings that have ended";
  for (const auto& [stage, taken] : steps) {
    for (std::size_t i = 0; i < taken.size(); ++i) EXPECT_EQ(taken[i], static_cast<std::int64_t>(i) + 1) << stage;
  }
  EXPECT_EQ(models::serialize_onnx(resumed->delivered), models::serialize_onnx(run({}, {}).delivered));
}

TEST_P(RecoverInterrupted, BeginsAnewFromWhatIsNoState) {
  const RecoveryCheckpoints checkpoints{.load_state = [](const std::string&) { return std::optional<std::string>("no state"); }};
  EXPECT_EQ(models::serialize_onnx(run({}, checkpoints).delivered), models::serialize_onnx(run({}, {}).delivered));
}
INSTANTIATE_TEST_SUITE_P(Settings, RecoverInterrupted,
                         testing::Values(Setting{"ste", "sgd", 0.9}, Setting{"lsq+", "adamw", 0}, Setting{"pact", "sgd", 0}));

TEST(Recover, RefusesStagesOutOfOrder) {
  RecoveryOptions options = staged_options();
  std::swap(options.stages[0], options.stages[1]);
  options.stages[2].steps = 2;
  try {
    options.validate();
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("stages[1].part: expected channels, sparsity, widths in that order"));
    EXPECT_THAT(error.what(), testing::HasSubstr("stages[2].steps: expected 1"));
  }
}

class RecoverByLearnedScales : public testing::TestWithParam<const char*> {};

// Scales that were learned are those that are delivered, with BatchNormalization folded into them.
TEST_P(RecoverByLearnedScales, LearnsAndDeliversWhatItLearned) {
  const auto& [data, network, analysis] = trained();
  RecoveryOptions options = recovery_options();
  options.qat_method = GetParam();
  options.fine_tune_epochs = 0;
  options.qat_epochs = 2;
  options.qat_learning_rate = 0.01;
  const policies::Policy policy = uniform(1, 2);
  const models::Network before = compress_simulated(network, analysis, policy, data, options.compression);
  const auto result = recover(network, analysis, policy, data, options);
  EXPECT_GT(accuracy(result.simulated, data.test), accuracy(before, data.test) + 0.02);

  std::vector<float> learned;
  for (const auto& node : result.simulated.nodes) {
    EXPECT_NE(node.op, "BatchNormalization");
    EXPECT_FALSE(models::learns_scale(node));
    if (node.op != "FakeQuantize" || result.simulated.is_constant(node.inputs[0])) continue;
    learned.push_back(result.simulated.constants.at(node.inputs[1]).to_floats()[0]);
  }
  std::vector<float> delivered;
  for (const auto& node : result.delivered.nodes) {
    if (node.op == "QuantizeLinear") delivered.push_back(result.delivered.constants.at(node.inputs[1]).to_floats()[0]);
  }
  EXPECT_THAT(delivered, testing::UnorderedElementsAreArray(learned));
  const auto simulated = predict(models::Executor(result.simulated), data.test),
             final = predict(models::Executor(result.delivered), data.test);
  const auto same = matches(simulated, final);
  EXPECT_GE(std::count(same.begin(), same.end(), 1), 396) << "of 400";
}
INSTANTIATE_TEST_SUITE_P(Methods, RecoverByLearnedScales, testing::Values("lsq", "lsq+", "pact"));

TEST(Recover, RefusesUnknownMethods) {
  RecoveryOptions options = recovery_options();
  options.qat_method = "magic";
  try {
    options.validate();
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("qat_method: expected ste, lsq, lsq+ or pact"));
  }
}

}  // namespace
}  // namespace lathe::evaluators
