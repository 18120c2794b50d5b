#include "policies/exporters/lift_from_qdq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/base/error.h"
#include "policies/exporters/tensor_encodings.h"
#include "policies/quantize_network.h"
#include "tests/policies/network_sketch.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Network;
using models::Node;
using models::ValueId;
using ::testing::HasSubstr;

// A residual block with a shortcut that copies elements, which integers move through, and a pooled head.
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

Policy mixed(const Network& network, const std::vector<int>& weight_bits, const std::vector<int>& activation_bits) {
  Policy policy;
  for (const Node& node : network.nodes) {
    if (node.op != "Conv" && node.op != "Gemm") continue;
    const std::size_t i = policy.layers.size();
    const int weight = weight_bits[i % weight_bits.size()], activation = activation_bits[i % activation_bits.size()];
    policy.layers.push_back({.name = node.name,
                             .weight_bits = weight,
                             .weight_format = weight <= 16 ? "int" : "float",
                             .activation_bits = activation,
                             .activation_format = activation <= 8 ? "int" : "float"});
  }
  return policy;
}

Network simulate(const Network& network, const Policy& policy) {
  const ActivationPlan plan = plan_activations(network, policy);
  std::vector<Range> ranges;
  for (std::size_t i = 0; i < plan.points.size(); ++i) ranges.push_back({-0.25 * static_cast<double>(i % 2), 1.0 + static_cast<double>(i)});
  return insert_fake_quantize(network, policy, plan, ranges);
}

// What a value is computed from, whatever its name and the order of the nodes: the operator, its attributes and operands, constants by
// their bytes; hashed.
std::size_t term(const Network& network, const std::vector<int>& producers, ValueId id) {
  const std::hash<std::string> hash;
  if (id == models::kNoValue) return 0;
  if (network.is_constant(id)) {
    const models::Tensor& tensor = network.constants.at(id);
    const auto bytes = tensor.bytes();
    return hash(models::to_string(tensor.type()) + models::to_string(tensor.shape()) +
                std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  const int producer = producers[static_cast<std::size_t>(id)];
  if (producer < 0) return hash(network.value(id).name);
  const Node& node = network.nodes[static_cast<std::size_t>(producer)];
  std::string text = node.op;
  for (const ValueId input : node.inputs) text += " " + std::to_string(term(network, producers, input));
  for (const auto& [name, value] : node.attributes) {
    text += " " + name;
    if (const auto* number = std::get_if<std::int64_t>(&value)) text += "=" + std::to_string(*number);
  }
  return hash(text);
}

std::size_t meaning(const Network& network) {
  return term(network, models::producers(network), network.outputs.front());
}

struct Widths {
  std::vector<int> weights, activations;
};

class LiftFromQdq : public ::testing::TestWithParam<Widths> {};

// The law: lifting undoes lowering.
TEST_P(LiftFromQdq, LoweringAgainGivesTheDeliveredNetwork) {
  const Network network = residual();
  const Policy policy = mixed(network, GetParam().weights, GetParam().activations);
  const Network delivered = lower_to_qdq(simulate(network, policy));
  const Network again = lower_to_qdq(lift_from_qdq(delivered, policy));
  EXPECT_EQ(meaning(again), meaning(delivered));
  EXPECT_EQ(again.nodes.size(), delivered.nodes.size());
}

INSTANTIATE_TEST_SUITE_P(Policies, LiftFromQdq,
                         ::testing::Values(Widths{{8}, {8}}, Widths{{4, 6, 2, 8}, {8, 4, 6, 5}}, Widths{{8, 32}, {8, 32}},
                                           Widths{{3}, {32}}, Widths{{16, 4}, {32, 8}}));

TEST(LiftFromQdq, EncodingsAreThePolicysWidths) {
  const Network network = residual();
  const Policy policy = mixed(network, {4, 6, 2, 8}, {8, 4, 6, 5});
  const EncodedNetwork encoded = split_encodings(lift_from_qdq(lower_to_qdq(simulate(network, policy)), policy));
  for (const Node& node : encoded.network.nodes) EXPECT_NE(node.op, "FakeQuantize");
  std::map<std::string, int> weights;
  for (const TensorEncoding& encoding : encoded.encodings) {
    if (encoding.is_weight) weights[encoding.tensor] = encoding.bits;
    EXPECT_EQ(encoding.parameters.quant_max, encoding.is_weight ? (1 << (encoding.bits - 1)) - 1 : (1 << encoding.bits) - 1);
  }
  EXPECT_EQ(weights, (std::map<std::string, int>{{"stem.weight", 4}, {"conv1.weight", 6}, {"conv2.weight", 2}, {"fc.weight", 8}}));
}

std::string fault_of(const Network& delivered, const Policy& policy) {
  try {
    lift_from_qdq(delivered, policy);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(LiftFromQdq, AFileOfAnotherPolicyIsRefused) {
  const Network network = residual();
  const Policy policy = mixed(network, {6}, {6});
  const Network delivered = lower_to_qdq(simulate(network, policy));
  EXPECT_EQ(fault_of(delivered, policy), "");
  EXPECT_THAT(fault_of(delivered, mixed(network, {4}, {6})), HasSubstr("the policy gives the weight 4 bits, but the delivered file holds"));
  EXPECT_THAT(fault_of(delivered, mixed(network, {6}, {8})), HasSubstr("the policy gives the activations 8 bits, the delivered file 6"));
  EXPECT_THAT(fault_of(delivered, Policy{}), HasSubstr("quantizes this layer's weight and the policy does not"));
  Policy other = policy;
  other.layers[0].name = "stem2";
  EXPECT_THAT(fault_of(delivered, other), HasSubstr("stem2: the delivered file has no such layer"));
}

// No format that exporters write has dynamic ranges: such a layer reads floats.
TEST(LiftFromQdq, DynamicActivationsBecomeFloats) {
  const Network network = residual();
  Policy policy = mixed(network, {8}, {8});
  for (LayerPolicy& layer : policy.layers) layer.dynamic = true;
  const auto again = [&](const Policy& p) { return meaning(lift_from_qdq(lower_to_qdq(simulate(network, p)), p)); };
  EXPECT_EQ(again(policy), again(mixed(network, {8}, {32})));
  EXPECT_NE(again(policy), again(mixed(network, {8}, {8})));
}

}  // namespace
}  // namespace lathe::policies
