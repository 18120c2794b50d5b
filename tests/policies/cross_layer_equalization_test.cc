#include "policies/cross_layer_equalization.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/operators.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Tensor;
using models::ValueId;
using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::Pointwise;

struct Pair {
  Network network{.name = "pair"};
  ValueId w1, b1, w2, between;
};

// y = W2 f(W1 x + b1) with two channels between; f a ReLU, or a Clip to [0, 6].
Pair pair(const std::string& activation) {
  Pair p;
  const auto value = [&](const std::string& name, std::int64_t width) {
    return p.network.add_value({name, models::DataType::kFloat32, {models::kDynamic, width}});
  };
  const ValueId x = value("x", 2), a = value("a", 2), y = value("y", 2);
  p.between = value("h", 2);
  p.w1 = p.network.add_constant("w1", Tensor::from<float>({2, 2}, {4, -1, 0.25F, 0.5F}));
  p.b1 = p.network.add_constant("b1", Tensor::from<float>({2}, {1, -0.25F}));
  p.w2 = p.network.add_constant("w2", Tensor::from<float>({2, 2}, {1, 2, -0.25F, 8}));
  std::vector<ValueId> inputs{a};
  if (activation == "Clip") {
    inputs.push_back(p.network.add_constant("low", Tensor::scalar(0.0F)));
    inputs.push_back(p.network.add_constant("high", Tensor::scalar(6.0F)));
  }
  const std::map<std::string, models::Attribute> transposed{{"transB", std::int64_t{1}}};
  p.network.nodes = {{.name = "fc1", .op = "Gemm", .inputs = {x, p.w1, p.b1}, .outputs = {a}, .attributes = transposed},
                     {.name = "f", .op = activation, .inputs = inputs, .outputs = {p.between}},
                     {.name = "fc2", .op = "Gemm", .inputs = {p.between, p.w2}, .outputs = {y}, .attributes = transposed}};
  p.network.inputs = {x};
  p.network.outputs = {y};
  return p;
}

std::vector<float> values(const Network& network, ValueId id) {
  return network.constants.at(id).to_floats();
}

// Eq. 11 by hand: r1 = (4, 0.5), r2 = (1, 8), so s = (2, 1/4) and both ranges become sqrt(r1 r2) = (2, 2).
TEST(CrossLayerEqualization, GivesBothLayersTheSameRanges) {
  const Pair p = pair("Relu");
  const Network equalized = equalize_across_layers(p.network, {});
  EXPECT_THAT(values(equalized, p.w1), Pointwise(FloatNear(1e-6F), {2.0F, -0.5F, 1.0F, 2.0F}));
  EXPECT_THAT(values(equalized, p.b1), Pointwise(FloatNear(1e-6F), {0.5F, -1.0F}));
  EXPECT_THAT(values(equalized, p.w2), Pointwise(FloatNear(1e-6F), {2.0F, 0.5F, -0.5F, 2.0F}));
}

// Channel 0 may become smaller. Channel 1 would grow fourfold, from 3 to 12: 6 less a tenth allows 1.8 times. A channel that reaches 6
// stays.
TEST(CrossLayerEqualization, KeepsChannelsBelowTheBoundOfAClip) {
  const Pair p = pair("Clip");
  EXPECT_THAT(clipped_between_layers(p.network), ElementsAre(p.between));
  const Network equalized = equalize_across_layers(p.network, {{p.between, {2.0F, 3.0F}}});
  EXPECT_THAT(values(equalized, p.w1), Pointwise(FloatNear(1e-6F), {2.0F, -0.5F, 0.45F, 0.9F}));
  EXPECT_THAT(values(equalized, p.w2), Pointwise(FloatNear(1e-6F), {2.0F, 2 / 1.8F, -0.5F, 8 / 1.8F}));
  EXPECT_TRUE(equalize_across_layers(p.network, {{p.between, {6.0F, 6.0F}}}) == p.network);
  EXPECT_TRUE(equalize_across_layers(p.network, {}) == p.network) << "nothing is known of the clipped channels";
}

TEST(CrossLayerEqualization, LeavesValuesThatOthersReadAlone) {
  Pair p = pair("Relu");
  p.network.outputs.push_back(p.between);
  EXPECT_TRUE(equalize_across_layers(p.network, {}) == p.network);
}

}  // namespace
}  // namespace lathe::policies
