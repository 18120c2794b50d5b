#include "policies/quantize_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/base/error.h"
#include "network_sketch.h"
#include "policies/quantized_layers.h"
#include "policies/search_space.h"

namespace lathe::policies {
namespace {

using models::DataType;
using models::kDynamic;
using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// stem -> relu -> conv1 -> relu -> conv2 -> add -> relu -> head, with an option-A shortcut: the stem's result, sliced and padded.
Network residual() {
  NetworkSketch sketch({kDynamic, 3, 8, 8});
  const ValueId stem = sketch.unary("relu0", "Relu", sketch.conv("stem", sketch.input(), 8));
  const ValueId inner = sketch.unary("relu1", "Relu", sketch.conv("conv1", stem, 16, 2));
  const ValueId deep = sketch.conv("conv2", inner, 16);
  const ValueId sliced = sketch.node("slice", "Slice", {stem}, {kDynamic, 8, 4, 4});
  const ValueId padded = sketch.node("pad", "Pad", {sliced}, {kDynamic, 16, 4, 4});
  const ValueId sum = sketch.unary("relu2", "Relu", sketch.add("add", deep, padded));
  return sketch.finish({sketch.head(sum, 5)});
}

Policy uniform(const Network& network, int weight_bits, int activation_bits) {
  Policy policy;
  for (const Node& node : network.nodes) {
    if (node.op != "Conv" && node.op != "Gemm") continue;
    policy.layers.push_back({.name = node.name,
                             .weight_bits = weight_bits,
                             .weight_format = weight_bits <= 8 ? "int" : "float",
                             .activation_bits = activation_bits,
                             .activation_format = activation_bits <= 8 ? "int" : "float"});
  }
  return policy;
}

const Node& producer(const Network& network, ValueId id) {
  return network.nodes[static_cast<std::size_t>(models::producers(network)[static_cast<std::size_t>(id)])];
}

const Node& node_named(const Network& network, const std::string& name) {
  for (const Node& node : network.nodes) {
    if (node.name == name) return node;
  }
  throw std::runtime_error("no node " + name);
}

// "value@bits: readers" by the names of nodes.
std::vector<std::string> described(const Network& network, const ActivationPlan& plan) {
  const auto producers = models::producers(network);
  std::vector<std::string> lines;
  for (const auto& point : plan.points) {
    const int producer = producers[static_cast<std::size_t>(point.value)];
    std::string line =
        (producer < 0 ? "input" : network.nodes[static_cast<std::size_t>(producer)].name) + "@" + std::to_string(point.bits) +
        (point.is_dynamic ? " dynamic:" : ":");
    for (const int reader : point.readers) line += " " + network.nodes[static_cast<std::size_t>(reader)].name;
    lines.push_back(line);
  }
  return lines;
}

Network simulate(const Network& network, const Policy& policy, Range range = {0, 6}) {
  const ActivationPlan plan = plan_activations(network, policy);
  return insert_fake_quantize(network, policy, plan, std::vector<Range>(plan.points.size(), range), RangeMethod::kMinMax);
}

std::vector<std::string> ops(const Network& network) {
  std::vector<std::string> names;
  for (const Node& node : network.nodes) names.push_back(node.op);
  return names;
}

// Rows of a 5 x 4 table by token, as the first operator of a Transformer.
Network embedding() {
  NetworkSketch sketch({kDynamic, 3});
  const ValueId rows = sketch.node("embedding", "Gather", {sketch.constant("table", {5, 4}), sketch.input()}, {kDynamic, 3, 4});
  Network network = sketch.finish({sketch.node("projection", "MatMul", {rows, sketch.constant("weight", {4, 2})}, {kDynamic, 3, 2})});
  network.values[static_cast<std::size_t>(network.inputs.front())].type = DataType::kInt64;
  return network;
}

TEST(InsertFakeQuantize, TablesHaveAScaleARow) {
  const Network network = embedding();
  const Policy policy{.layers = {{.name = "embedding", .weight_bits = 4, .weight_format = "int"}}};
  const Network simulated = simulate(network, policy);
  const Node& quantizer = producer(simulated, node_named(simulated, "embedding").inputs[0]);
  EXPECT_EQ(quantizer.op, "FakeQuantize");
  EXPECT_EQ(models::int_attribute(quantizer, "axis", -1), 0);
  const QuantizationParameters parameters = parameters_of(simulated, quantizer);
  EXPECT_EQ(parameters.scale, symmetric_per_channel(network.constants.at(network.nodes[0].inputs[0]), 0, 4).scale);
  // 20 elements of 4 bits and 5 scales; the projection stays as it is: 8 floats.
  EXPECT_EQ(packed_bytes(network, policy), 10 + 5 * 4 + 8 * 4);
  const Network lowered = lower_to_qdq(simulated);
  const Node& dequantize = producer(lowered, node_named(lowered, "embedding").inputs[0]);
  EXPECT_EQ(dequantize.op, "DequantizeLinear");
  EXPECT_EQ(lowered.value(dequantize.inputs[0]).type, DataType::kInt8);
}

TEST(ActivationPlan, IntegerBlocksQuantizeLayersAdditionsAndPools) {
  const Network network = residual();
  EXPECT_THAT(described(network, plan_activations(network, uniform(network, 8, 8))),
              ElementsAre("input@8: stem", "relu0@8: conv1 slice", "relu1@8: conv2", "conv2@8: add", "relu2@8: pool", "pool@8: flatten"));
}

TEST(ActivationPlan, NarrowLayersLeaveAdditionsAtEightBits) {
  const Network network = residual();
  // The shortcut is wanted at 8 bits, conv1's input at 4: two points on one value.
  EXPECT_THAT(described(network, plan_activations(network, uniform(network, 4, 4))),
              ElementsAre("input@4: stem", "relu0@4: conv1", "relu0@8: slice", "relu1@4: conv2", "conv2@8: add", "relu2@8: pool",
                          "pool@4: flatten"));
}

TEST(ActivationPlan, FloatLayersReadFloats) {
  const Network network = residual();
  Policy policy = uniform(network, 8, 8);
  std::erase_if(policy.layers, [](const LayerPolicy& layer) { return layer.name == "conv2" || layer.name == "fc"; });
  // conv2 is float, so the addition is, and the pool feeds a float layer.
  EXPECT_THAT(described(network, plan_activations(network, policy)), ElementsAre("input@8: stem", "relu0@8: conv1"));
  EXPECT_THAT(plan_activations(network, uniform(network, 8, 32)).points, IsEmpty());
}

// conv2 takes its range from each input: it alone reads what is quantized for it, and the Add after it is of floats.
TEST(ActivationPlan, DynamicLayersQuantizeInFrontOfThemselves) {
  const Network network = residual();
  Policy policy = uniform(network, 8, 8);
  for (LayerPolicy& layer : policy.layers) layer.dynamic = layer.name == "conv2";
  EXPECT_THAT(described(network, plan_activations(network, policy)),
              ElementsAre("input@8: stem", "relu0@8: conv1", "relu1@8 dynamic: conv2", "pool@8: flatten"));
}

TEST(ActivationPlan, UnknownLayersAndUnbuildableFormatsAreTheUsersError) {
  const Network network = residual();
  const auto message = [&](LayerPolicy layer) -> std::string {
    try {
      plan_activations(network, {.layers = {std::move(layer)}});
    } catch (const UserError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message({.name = "conv3"}), HasSubstr("layers[0].name: the network has no such layer (did you mean 'conv1'?), got 'conv3'"));
  EXPECT_THAT(message({.name = "conv1", .dynamic = true}), HasSubstr("layers[0].dynamic: true needs int activations of 8 bits"));
  EXPECT_THAT(message({.name = "conv1", .activation_bits = 4, .activation_format = "pow2"}),
              HasSubstr("layers[0].activation_format: expected int"));
}

TEST(FakeQuantize, WeightsByChannelActivationsByTensor) {
  const Network network = residual();
  const Network simulated = simulate(network, uniform(network, 5, 8));
  models::validate(simulated);
  const Node& layer = node_named(simulated, "conv1");
  const Node& weight = producer(simulated, layer.inputs[1]);
  EXPECT_EQ(weight.op, "FakeQuantize");
  EXPECT_EQ(models::int_attribute(weight, "bits", 0), 5);
  EXPECT_EQ(models::int_attribute(weight, "quant_max", 0), 15);
  EXPECT_EQ(models::int_attribute(weight, "axis", -1), 0);
  const Tensor& original = network.constants.at(node_named(network, "conv1").inputs[1]);
  EXPECT_EQ(parameters_of(simulated, weight).scale, symmetric_per_channel(original, 0, 5).scale);
  EXPECT_TRUE(simulated.constants.at(weight.inputs[0]) == original);
  const Node& activation = producer(simulated, layer.inputs[0]);
  EXPECT_EQ(activation.op, "FakeQuantize");
  EXPECT_EQ(models::int_attribute(activation, "axis", 0), -1);
  EXPECT_EQ(producer(simulated, activation.inputs[0]).name, "relu0");
  EXPECT_FALSE(simulated.is_constant(activation.inputs[0]));
}

TEST(FakeQuantize, GranularityAndFormatsAreHeeded) {
  const Network network = residual();
  Policy policy{.layers = {{.name = "conv1", .weight_bits = 8, .weight_format = "int", .weight_granularity = "tensor"},
                           {.name = "conv2", .weight_bits = 16, .weight_format = "bfloat"}}};
  const Network simulated = simulate(network, policy);
  EXPECT_EQ(models::int_attribute(producer(simulated, node_named(simulated, "conv1").inputs[1]), "axis", 0), -1);
  const Tensor& rounded = simulated.constants.at(node_named(simulated, "conv2").inputs[1]);
  for (const float value : rounded.values<float>()) EXPECT_EQ(std::bit_cast<std::uint32_t>(value) & 0xFFFFU, 0U);
  EXPECT_FALSE(rounded == network.constants.at(node_named(network, "conv2").inputs[1]));
}

TEST(FakeQuantize, BakedWeightsAreWhatTheNodesCompute) {
  const Network network = residual();
  const Network simulated = simulate(network, uniform(network, 3, 32));
  const Network baked = bake_weight_quantization(simulated);
  EXPECT_THAT(ops(baked), Not(Contains("FakeQuantize")));
  const Tensor& original = network.constants.at(node_named(network, "conv1").inputs[1]);
  const auto parameters = symmetric_per_channel(original, 0, 3);
  const auto levels = quantize(original, parameters, 0);
  const auto values = baked.constants.at(node_named(baked, "conv1").inputs[1]).values<float>();
  for (std::size_t i = 0; i < levels.size(); ++i) EXPECT_EQ(values[i], static_cast<float>(levels[i]) * parameters.scale[i / (8 * 9)]);
}

TEST(LowerToQdq, WeightsAreBytesAndBiasesMatchTheAccumulator) {
  const Network network = residual();
  const Network lowered = lower_to_qdq(simulate(network, uniform(network, 8, 8)));
  models::validate(lowered);
  const Node& layer = node_named(lowered, "conv1");
  const Node& weight = producer(lowered, layer.inputs[1]);
  const Node& bias = producer(lowered, layer.inputs[2]);
  const Node& input = producer(lowered, layer.inputs[0]);
  ASSERT_THAT((std::vector<std::string>{weight.op, bias.op, input.op}),
              ElementsAre("DequantizeLinear", "DequantizeLinear", "DequantizeLinear"));
  const Tensor& original = network.constants.at(node_named(network, "conv1").inputs[1]);
  const auto parameters = symmetric_per_channel(original, 0, 8);
  EXPECT_EQ(lowered.constants.at(weight.inputs[0]).type(), DataType::kInt8);
  const auto levels = quantize(original, parameters, 0);
  EXPECT_EQ(lowered.constants.at(weight.inputs[0]).to_int64s(), std::vector<std::int64_t>(levels.begin(), levels.end()));
  const float s_x = lowered.constants.at(input.inputs[1]).to_floats().at(0);
  EXPECT_FLOAT_EQ(s_x, 6.0F / 255);
  const Tensor& float_bias = network.constants.at(node_named(network, "conv1").inputs[2]);
  const auto bias_levels = lowered.constants.at(bias.inputs[0]).values<std::int32_t>();
  for (std::size_t i = 0; i < bias_levels.size(); ++i) {
    const double scale = static_cast<double>(s_x) * parameters.scale[i];
    EXPECT_NEAR(bias_levels[i] * scale, float_bias.values<float>()[i], 0.5001 * scale);
  }
}

TEST(LowerToQdq, ActivationsThatTheQuantizerClipsAreDroppedAndCopiesMoveIntegers) {
  const Network network = residual();
  const Network lowered = lower_to_qdq(simulate(network, uniform(network, 8, 8)));
  EXPECT_THAT(ops(lowered), Not(Contains("Relu")));
  const Node& pad = node_named(lowered, "pad");
  EXPECT_EQ(lowered.value(pad.outputs[0]).type, DataType::kUint8);
  EXPECT_EQ(pad.inputs.size(), 1u);  // zero point 0: what Pad adds anyway
  // A range that reaches below zero keeps the activation and pads with the zero point.
  const Network shifted = lower_to_qdq(simulate(network, uniform(network, 8, 8), {-1, 5}));
  EXPECT_THAT(ops(shifted), Contains("Relu"));
  const Node& shifted_pad = node_named(shifted, "pad");
  ASSERT_EQ(shifted_pad.inputs.size(), 3u);
  EXPECT_THAT(shifted.constants.at(shifted_pad.inputs[2]).to_int64s(), ElementsAre(std::nearbyint(255.0 / 6)));
}

TEST(LowerToQdq, NarrowActivationsAreClippedAsIntegers) {
  const Network network = residual();
  const Network lowered = lower_to_qdq(simulate(network, uniform(network, 8, 3)));
  const Node& clip = producer(lowered, producer(lowered, node_named(lowered, "conv1").inputs[0]).inputs[0]);
  ASSERT_EQ(clip.op, "Clip");
  EXPECT_THAT(lowered.constants.at(clip.inputs[2]).to_int64s(), ElementsAre(7));
  EXPECT_EQ(producer(lowered, clip.inputs[0]).op, "QuantizeLinear");
}

TEST(LowerToQdq, WeightOnlyAndHalfPrecision) {
  const Network network = residual();
  Policy policy{.layers = {{.name = "conv1", .weight_bits = 4, .weight_format = "int"},
                           {.name = "conv2", .weight_bits = 16, .weight_format = "float"}}};
  const Network lowered = lower_to_qdq(simulate(network, policy));
  EXPECT_EQ(producer(lowered, node_named(lowered, "conv1").inputs[1]).op, "DequantizeLinear");
  EXPECT_TRUE(lowered.is_constant(node_named(lowered, "conv1").inputs[2]));  // the bias stays float
  const Node& cast = producer(lowered, node_named(lowered, "conv2").inputs[1]);
  EXPECT_EQ(cast.op, "Cast");
  EXPECT_EQ(lowered.constants.at(cast.inputs[0]).type(), DataType::kFloat16);
  EXPECT_THAT(ops(lowered), Not(Contains("QuantizeLinear")));
}

TEST(LowerToQdq, DynamicActivationsAreQuantizedAsTheNetworkRuns) {
  const Network network = residual();
  Policy policy = uniform(network, 8, 8);
  for (LayerPolicy& layer : policy.layers) layer.dynamic = true;
  const Network lowered = lower_to_qdq(simulate(network, policy));
  models::validate(lowered);
  const Node& conv = node_named(lowered, "conv1");
  const Node& dequantize = producer(lowered, conv.inputs[0]);
  ASSERT_EQ(dequantize.op, "DequantizeLinear");
  EXPECT_EQ(producer(lowered, dequantize.inputs[0]).op, "DynamicQuantizeLinear");
  EXPECT_EQ(lowered.value(producer(lowered, conv.inputs[1]).inputs[0]).type, DataType::kInt8);
  EXPECT_TRUE(lowered.is_constant(conv.inputs[2])) << "without a scale known beforehand the bias stays float";
  EXPECT_THAT(ops(lowered), Not(Contains("QuantizeLinear")));
}

TEST(QuantizedLayers, AreCountedAndSayWhyTheyCannotBeQuantizedAgain) {
  const Network network = residual();
  EXPECT_EQ(count_quantized_layers(network), 0);
  const Network lowered = lower_to_qdq(simulate(network, {.layers = {{.name = "conv1", .weight_bits = 4, .weight_format = "int"}}}));
  EXPECT_EQ(count_quantized_layers(lowered), 1);
  for (const LayerInfo& layer : describe_layers(lowered)) {
    const bool is_float = layer.name != "conv1";
    EXPECT_EQ(layer.quantizable, is_float) << layer.name;
    EXPECT_THAT(layer.reason, testing::StartsWith(is_float ? "" : "it is quantized already")) << layer.name;
  }
}

TEST(LowerToQdq, DeadChannelsKeepTheirBias) {
  Network network = residual();
  const Node& layer = node_named(network, "conv1");
  std::vector<float> weights = network.constants.at(layer.inputs[1]).to_floats();
  for (std::size_t i = 0; i < 8 * 9; ++i) weights[i] *= 1e-20F;  // the first channel
  network.constants[layer.inputs[1]] = Tensor::from<float>({16, 8, 3, 3}, weights);
  const Network lowered = lower_to_qdq(simulate(network, uniform(network, 8, 8)));
  const Node& bias = producer(lowered, node_named(lowered, "conv1").inputs[2]);
  ASSERT_EQ(bias.op, "DequantizeLinear");
  const double level = lowered.constants.at(bias.inputs[0]).values<std::int32_t>()[0];
  const float scale = lowered.constants.at(bias.inputs[1]).to_floats()[0];
  EXPECT_FLOAT_EQ(static_cast<float>(level * scale), network.constants.at(layer.inputs[2]).to_floats()[0]);
}

TEST(PackedBytes, CountsWeightsAtTheirWidths) {
  NetworkSketch sketch({kDynamic, 3, 8, 8});
  const Network network = sketch.finish({sketch.head(sketch.conv("conv", sketch.input(), 5), 7)});
  const std::int64_t conv = 5 * 3 * 9, fc = 5 * 7;
  EXPECT_EQ(packed_bytes(network, {}), 4 * (conv + 5 + fc + 7));
  // 135 weights of 3 bits are 405 bits: 51 bytes; a scale for each of 5 channels. fc: half precision.
  const Policy policy{
      .layers = {{.name = "conv", .weight_bits = 3, .weight_format = "int"}, {.name = "fc", .weight_bits = 16, .weight_format = "float"}}};
  EXPECT_EQ(packed_bytes(network, policy), 51 + 4 * 5 + 4 * 5 + 2 * fc + 4 * 7);
}

}  // namespace
}  // namespace lathe::policies
