#include "policies/weight_sparsity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "models/base/error.h"
#include "policies/quantize_network.h"
#include "policies/quantized_layers.h"
#include "policies/sparse_storage.h"
#include "tests/policies/network_sketch.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Network;
using models::Tensor;
using testing::ElementsAre;
using testing::HasSubstr;

Tensor matrix(models::Shape shape, std::vector<float> values) {
  return Tensor::from<float>(std::move(shape), values);
}

Network two_layers() {
  NetworkSketch sketch({kDynamic, 8, 6, 6});
  return sketch.finish({sketch.head(sketch.conv("conv", sketch.input(), 10), 7)});
}

std::int64_t zeros(const Tensor& tensor) {
  const std::vector<float> values = tensor.to_floats();
  return std::count(values.begin(), values.end(), 0.0F);
}

const Tensor& weight_of(const Network& network, const std::string& layer) {
  const auto node = std::find_if(network.nodes.begin(), network.nodes.end(), [&](const auto& n) { return n.name == layer; });
  return network.constants.at(node->inputs[1]);
}

TEST(WeightSparsity, SmallestMagnitudesGoAndOfEqualOnesTheFirst) {
  const LayerPolicy half{.sparsity = 0.5, .pattern = "unstructured"};
  EXPECT_THAT(kept_by_magnitude(matrix({2, 3}, {0.5F, -2, 0.5F, 0, -0.5F, 1}), {1, 0}, half),
              ElementsAre(false, true, false, false, true, true));
}

// Along the input channels at each position of the kernel window; the two that fill no four stay.
TEST(WeightSparsity, TwoOfFourGroupsInputChannels) {
  const LayerPolicy pattern{.sparsity = 0.5, .pattern = "2:4"};
  // [1 output, 6 channels, 2 taps]: taps interleave.
  const Tensor weight = matrix({1, 6, 2}, {1, 8, 2, 7, 3, 6, 4, 5, 9, 9, 9, 9});
  EXPECT_THAT(kept_by_magnitude(weight, {1, 0}, pattern),
              ElementsAre(false, true, false, true, true, false, true, false, true, true, true, true));
  EXPECT_EQ(kept_by_pattern(12, 6), 8);
  EXPECT_EQ(kept_by_pattern(7 * 7, 7), 7 * 4) << "of the last three channels two";
  EXPECT_EQ(kept_by_pattern(9 * 3, 1), 27) << "depthwise: nothing to choose from";
}

// Numpy: sums of squares over rows 0-3 and 4-5 of [6 outputs, 2 channels, 2 taps] are 101 130 154 177 and 25 37 10 145; of eight blocks the
// four smallest go.
TEST(WeightSparsity, BlocksOfOutputsGoTogether) {
  const LayerPolicy blocks{.sparsity = 0.5, .pattern = "4x1"};
  const Tensor weight = matrix({6, 2, 2}, {7, 3, 0, -4, -4, -9, -8, -9, -6, 6, 3, 8, 0, 2, 9, 4, 3, 1, 1, 8, -4, 6, 3, -9});
  std::vector<bool> expected;
  for (int output = 0; output < 6; ++output) {
    for (const bool stays : {false, output < 4, output < 4, true}) expected.push_back(stays);
  }
  EXPECT_EQ(kept_by_magnitude(weight, {1, 0}, blocks), expected);
  EXPECT_EQ(weight_units(24, 2, 6, blocks), (WeightUnits{8, 4, 4})) << "the last block along the outputs is a shorter one";
  EXPECT_EQ(weight_units(24, 2, 6, {.pattern = "4x1"}), (WeightUnits{24, 24, 1})) << "dense";
  // Outputs may be another axis: the transposed matrix loses the same weights.
  const Tensor matrix_weight = matrix({2, 4}, {1, 2, 3, 4, 0, 0, 0, 1});
  EXPECT_THAT(kept_by_magnitude(matrix_weight, {0, 1}, blocks), ElementsAre(true, true, true, true, false, false, false, false));
}

TEST(WeightSparsity, PutsAsManyZerosAsTheSizeCounts) {
  const Network network = two_layers();
  const Policy policy{
      .layers = {{.name = "conv", .sparsity = 0.77, .pattern = "unstructured"}, {.name = "fc", .sparsity = 0.5, .pattern = "2:4"}}};
  const Network sparse = sparsify_by_magnitude(network, policy);
  EXPECT_EQ(zeros(weight_of(sparse, "conv")), 720 - weight_units(720, 8, 10, policy.layers[0]).kept);
  EXPECT_EQ(zeros(weight_of(sparse, "fc")), 70 - weight_units(70, 10, 7, policy.layers[1]).kept);
  EXPECT_EQ(kept_weights(720, 0.77), 166);  // 720 - 554.4
  EXPECT_EQ(sparsify_by_magnitude(sparse, policy), sparse) << "pruning is idempotent";
}

// Scores worked out in numpy: layer 1 (0.027, 0.176, 0.308, 1), layer 2 (3e-6, 0.008, 0.033, 0.138, 0.36, 1). At 0.9 plain global magnitude
// would take all of layer 1; here the largest weight of a layer always has score 1.
TEST(WeightSparsity, GlobalSparsityIsSharedOutByLampScores) {
  NetworkSketch sketch({kDynamic, 2});
  const auto hidden = sketch.node("one", "MatMul", {sketch.input(), sketch.constant("w1", {2, 2})}, {kDynamic, 2});
  Network network = sketch.finish({sketch.node("two", "MatMul", {hidden, sketch.constant("w2", {2, 3})}, {kDynamic, 3})});
  network.constants.at(network.nodes[0].inputs[1]) = matrix({2, 2}, {0.1F, -0.25F, 0.3F, 0.45F});
  network.constants.at(network.nodes[1].inputs[1]) = matrix({2, 3}, {1, -3, 2, 0.5F, 4, 0.01F});
  const std::vector<std::string> layers{"one", "two"};
  EXPECT_THAT(global_sparsities(network, layers, 0.3), ElementsAre(1.0 / 4, 2.0 / 6));
  EXPECT_THAT(global_sparsities(network, layers, 0.5), ElementsAre(1.0 / 4, 4.0 / 6));
  EXPECT_THAT(global_sparsities(network, layers, 0.7), ElementsAre(3.0 / 4, 4.0 / 6));
}

// Zhu and Gupta, eq. 1: 0.9 (1 - (1 - t)^3) at t = 1/5 ... 1.
TEST(WeightSparsity, CubicScheduleEndsAtThePolicy) {
  const Policy policy{
      .layers = {{.name = "conv", .sparsity = 0.9, .pattern = "unstructured"}, {.name = "fc", .sparsity = 0.5, .pattern = "2:4"}}};
  std::vector<double> reached;
  for (int step = 1; step <= 5; ++step) reached.push_back(at_sparsity_step(policy, step, 5).layers[0].sparsity);
  EXPECT_THAT(reached, testing::Pointwise(testing::DoubleNear(1e-12), {0.4392, 0.7056, 0.8424, 0.8928, 0.9}));
  EXPECT_EQ(at_sparsity_step(policy, 5, 5), policy);
  EXPECT_EQ(at_sparsity_step(policy, 1, 5).layers[1], policy.layers[1]) << "2:4 knows no less";
}

TEST(WeightSparsity, SharedWeightsAreTheUsersError) {
  NetworkSketch sketch({kDynamic, 4});
  const auto shared = sketch.constant("w", {4, 4});
  const auto hidden = sketch.node("one", "MatMul", {sketch.input(), shared}, {kDynamic, 4});
  const Network network = sketch.finish({sketch.node("two", "MatMul", {hidden, shared}, {kDynamic, 4})});
  try {
    sparsify_by_magnitude(network, {.layers = {{.name = "two", .sparsity = 0.5, .pattern = "2:4"}}});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("layers[0].sparsity: layer 'two' cannot be sparse: 'one' reads the same weight"));
  }
}

// What `lathe inspect` says of float weights, of integers (zeros are what equals the zero point) and of what is computed.
TEST(WeightSparsity, ShareOfZerosFollowsStoredWeights) {
  NetworkSketch sketch({kDynamic, 4});
  const auto dequantized = [&](const std::string& name, std::vector<models::ValueId> inputs) {
    return sketch.node(name + ".dequantize", "DequantizeLinear", std::move(inputs), {2, 4}, {{"axis", std::int64_t{0}}});
  };
  const auto scale = sketch.constant("scale", {2});
  const std::vector<std::int8_t> levels{0, 3, 0, 0, 5, 5, 5, 0};
  const auto stored = sketch.tensor("stored", Tensor::from<std::int8_t>({2, 4}, levels));
  const auto points = sketch.tensor("points", Tensor::from<std::int8_t>({2}, std::vector<std::int8_t>{0, 5}));
  const auto layer = [&](const std::string& name, models::ValueId weight) {
    return sketch.node(name, "Gemm", {sketch.input(), weight}, {kDynamic, 2}, {{"transB", std::int64_t{1}}});
  };
  const auto symmetric = layer("symmetric", dequantized("symmetric", {stored, scale}));
  const auto asymmetric = layer("asymmetric", dequantized("asymmetric", {stored, scale, points}));
  const auto plain = layer("plain", sketch.tensor("plain.weight", matrix({2, 4}, {0, -0.0F, 1, 2, 3, 4, 5, 6})));
  const auto square = sketch.node("square", "Sigmoid", {sketch.constant("square.weight", {2, 4})}, {2, 4});
  const Network network = sketch.finish({symmetric, asymmetric, plain, layer("computed", square)});
  const std::vector<int> makers = models::producers(network);
  std::map<std::string, std::optional<double>> shares;
  for (const models::Node& node : network.nodes) {
    if (node.op == "Gemm") shares[node.name] = share_of_zeros(network, node, makers);
  }
  EXPECT_EQ(shares.at("symmetric"), 4 / 8.0);
  EXPECT_EQ(shares.at("asymmetric"), 6 / 8.0) << "three zeros in the first row, three fives in the second";
  EXPECT_EQ(shares.at("plain"), 2 / 8.0);
  EXPECT_EQ(shares.at("computed"), std::nullopt);
}

// 1000 elements at 4 bits. Half kept: a bitmask of 125 bytes beats positions (500 * 2 + 499 bits), 250 bytes of values. A tenth kept:
// positions with 3 low bits, 100 * 4 + 124 = 524 bits, and 50 bytes of values.
TEST(SparseStorage, TakesTheSmallestForm) {
  EXPECT_EQ(smallest_storage(1000, 900, 4), WeightStorage::kDense);
  EXPECT_EQ(stored_bytes(1000, 1000, 3), 375);
  EXPECT_EQ(smallest_storage(1000, 500, 4), WeightStorage::kBitmask);
  EXPECT_EQ(stored_bytes(1000, 500, 4), 125 + 250);
  EXPECT_EQ(smallest_storage(1000, 100, 4), WeightStorage::kIndices);
  EXPECT_EQ(low_bits_of_positions(1000, 100), 3);
  EXPECT_EQ(stored_bytes(1000, 100, 4), 66 + 50);
}

TEST(SparseStorage, NeverTakesMoreThanDenseAndNoMoreWithFewerWeights) {
  for (const std::int64_t elements : {1, 9, 144, 1000, 36864}) {
    std::int64_t before = 0;
    for (std::int64_t kept = 0; kept <= elements; kept += 1 + elements / 50) {
      const std::int64_t bytes = stored_bytes(elements, kept, 8);
      EXPECT_LE(bytes, elements);
      EXPECT_GE(bytes, before) << elements << ' ' << kept;
      before = bytes;
    }
  }
}

// A position stands for four weights: 10 outputs are 3 blocks at each of 8 x 9 inputs, of which 43 of 216 stay.
TEST(SparseStorage, PackedSizeCountsBlocks) {
  const Policy policy{.layers = {{.name = "conv", .weight_bits = 4, .weight_format = "int", .sparsity = 0.8, .pattern = "4x1"}}};
  EXPECT_EQ(packed_bytes(two_layers(), policy), stored_bytes(216, 43, 4 * 4) + 4 * 10 + 4 * 10 + 4 * 70 + 4 * 7);
}

TEST(SparseStorage, PackedSizeCountsIt) {
  const Network network = two_layers();  // conv: 720 weights, 10 biases; fc: 70 weights, 7 biases
  const Policy policy{.layers = {{.name = "conv", .weight_bits = 4, .weight_format = "int", .sparsity = 0.8, .pattern = "unstructured"},
                                 {.name = "fc", .sparsity = 0.5, .pattern = "2:4"}}};
  EXPECT_EQ(packed_bytes(network, policy), stored_bytes(720, 144, 4) + 4 * 10 + 4 * 10 + stored_bytes(70, 42, 32) + 4 * 7);
}

}  // namespace
}  // namespace lathe::policies
