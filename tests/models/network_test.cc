#include "models/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/batch_shapes.h"
#include "models/op_counts.h"
#include "models/operators.h"

namespace lathe::models {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// x [N, 2, 4, 4] -> Conv (3 filters of 2x3x3) -> Relu -> y, with a Sigmoid that nothing needs.
Network small_network() {
  Network network;
  const ValueId x = network.add_value({"x", DataType::kFloat32, {kDynamic, 2, 4, 4}});
  const ValueId w = network.add_constant("w", Tensor::from<float>({3, 2, 3, 3}, std::vector<float>(54, 1.0f)));
  const ValueId c = network.add_value({"c", DataType::kFloat32, {kDynamic, 3, 2, 2}});
  const ValueId unused = network.add_value({"unused", DataType::kFloat32, {kDynamic, 3, 2, 2}});
  const ValueId y = network.add_value({"y", DataType::kFloat32, {kDynamic, 3, 2, 2}});
  network.inputs = {x};
  network.outputs = {y};
  network.nodes = {{.name = "conv", .op = "Conv", .inputs = {x, w}, .outputs = {c}},
                   {.name = "sigmoid", .op = "Sigmoid", .inputs = {c}, .outputs = {unused}},
                   {.name = "relu", .op = "Relu", .inputs = {c}, .outputs = {y}}};
  return network;
}

TEST(Network, KnowsWhoMakesAndWhoReadsAValue) {
  const Network network = small_network();
  EXPECT_THAT(producers(network), ElementsAre(-1, -1, 0, 1, 2));
  EXPECT_THAT(consumers(network), ElementsAre(ElementsAre(0), ElementsAre(0), ElementsAre(1, 2), IsEmpty(), IsEmpty()));
}

TEST(Network, DropsWhatNoOutputNeeds) {
  const Network network = without_dead_nodes(small_network());
  validate(network);
  ASSERT_EQ(network.nodes.size(), 2u);
  EXPECT_EQ(network.values.size(), 4u);
  EXPECT_EQ(network.value(network.outputs[0]).name, "y");
  EXPECT_EQ(network.constants.at(network.nodes[0].inputs[1]).size(), 54);
}

TEST(Network, MakesNamesOfConstantsUnique) {
  Network network = small_network();
  EXPECT_EQ(network.value(network.add_constant("w", Tensor::scalar(1))).name, "w_1");
}

TEST(NetworkDeathTest, ValidateFindsBrokenLaws) {
  Network unordered = small_network();
  std::swap(unordered.nodes[0], unordered.nodes[2]);
  EXPECT_DEATH(validate(unordered), "relu reads value 2 before it is made");
  Network twice = small_network();
  twice.nodes[1].outputs = twice.nodes[2].outputs;
  EXPECT_DEATH(validate(twice), "y has two producers");
  Network misnamed = small_network();
  misnamed.nodes[1].name = "conv";
  EXPECT_DEATH(validate(misnamed), "'conv' is empty or repeated");
}

// 3 filters x 2 channels x 3 x 3 taps at 2 x 2 positions.
TEST(OpCounts, ConvolutionCountsEachTapAtEachPosition) {
  const Network network = small_network();
  EXPECT_EQ(macs(network, network.nodes[0]), 3 * 2 * 9 * 4);
  EXPECT_EQ(macs(network, network.nodes[2]), 0);
  EXPECT_EQ(total_macs(network), 216);
  EXPECT_EQ(total_parameters(network), 54);
}

TEST(BatchShapes, CarryMultiplesOfTheBatch) {
  Network network;
  const ValueId x = network.add_value({"x", DataType::kFloat32, {kDynamic, 8, 5}});
  const ValueId target = network.add_constant("target", Tensor::int64s({-1, 4, 5}));
  const ValueId r = network.add_value({"r", DataType::kFloat32, {kDynamic, 4, 5}});
  const ValueId m = network.add_value({"m", DataType::kFloat32, {kDynamic, 4, 4}});
  const ValueId t = network.add_value({"t", DataType::kFloat32, {kDynamic, 5, 4}});
  network.inputs = {x};
  network.outputs = {m};
  network.nodes = {{.name = "r", .op = "Reshape", .inputs = {x, target}, .outputs = {r}},
                   {.name = "t", .op = "Transpose", .inputs = {r}, .outputs = {t}},
                   {.name = "m", .op = "MatMul", .inputs = {r, t}, .outputs = {m}}};
  const std::vector<Shape> shapes = shapes_at_batch(network, 3);
  EXPECT_THAT(shapes[static_cast<std::size_t>(r)], ElementsAre(6, 4, 5));
  EXPECT_THAT(shapes[static_cast<std::size_t>(m)], ElementsAre(6, 4, 4));
  EXPECT_EQ(total_macs(network), 2 * 4 * 4 * 5);  // two matrix products a sample
}

TEST(Operators, WeightsAndTheirOutputAxes) {
  Network network = small_network();
  EXPECT_EQ(weight_input(network, network.nodes[0]), 1);
  EXPECT_EQ(output_channel_axis(network, network.nodes[0]), 0);
  EXPECT_EQ(weight_input(network, network.nodes[2]), -1);
  const ValueId w = network.add_constant("matrix", Tensor::from<float>({2, 3}, std::vector<float>(6)));
  Node gemm{.name = "g", .op = "Gemm", .inputs = {0, w}};
  EXPECT_EQ(output_channel_axis(network, gemm), 1);
  gemm.attributes["transB"] = std::int64_t{1};
  EXPECT_EQ(output_channel_axis(network, gemm), 0);
  const Node left{.name = "l", .op = "MatMul", .inputs = {w, 0}}, right{.name = "r", .op = "MatMul", .inputs = {0, w}};
  EXPECT_EQ(weight_input(network, left), 0);
  EXPECT_EQ(output_channel_axis(network, left), 0);
  EXPECT_EQ(output_channel_axis(network, right), 1);
}

TEST(Operators, TrainableConstantsLeaveOutEpsilonsMasksAndStatistics) {
  Network network = small_network();
  const auto add = [&](const std::string& name, Shape shape, std::vector<float> values) {
    return network.add_constant(name, Tensor::from<float>(std::move(shape), values));
  };
  const ValueId epsilon = add("epsilon", {1}, {1e-5f}), mask = add("mask", {2}, {0, -1e9f}), scalar = add("scalar", {}, {2});
  const ValueId bias = add("bias", {3}, {1, 2, 3}), mean = add("mean", {3}, {0, 0, 0}), gamma = add("gamma", {3}, {1, 1, 1});
  network.nodes.push_back({.name = "a", .op = "Add", .inputs = {2, epsilon}});
  network.nodes.push_back({.name = "b", .op = "Add", .inputs = {2, mask}});
  network.nodes.push_back({.name = "c", .op = "Mul", .inputs = {2, scalar}});
  network.nodes.push_back({.name = "d", .op = "Add", .inputs = {2, bias}});
  network.nodes.push_back({.name = "e", .op = "BatchNormalization", .inputs = {2, gamma, bias, mean, mean}});
  EXPECT_THAT(trainable_constants(network), ElementsAre(1, bias, gamma));
}

}  // namespace
}  // namespace lathe::models
