#include "models/resnet_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/base/error.h"
#include "models/op_counts.h"

namespace lathe::models {
namespace {

// By hand, for 28x28x1: stem 9*16; stage 1 2*9*16*16; stage 2 9*16*32 + 9*32*32 + 16*32; stage 3 9*32*64 + 9*64*64 + 32*64; BatchNorm two
// a channel (16*3 + 32*3 + 64*3 channels); Gemm 64*10 + 10. MACs at 28x28, 14x14 and 7x7.
TEST(MakeResNet, HasTheTextbookCounts) {
  const Network network = make_resnet({.in_channels = 1, .height = 28, .width = 28});
  EXPECT_EQ(total_parameters(network), 144 + 4608 + 14336 + 57344 + 2 * (48 + 96 + 192) + 650);
  EXPECT_EQ(total_macs(network), 784 * (144 + 4608) + 196 * 14336 + 49 * 57344 + 640);
  EXPECT_EQ(network.value(network.outputs[0]).shape, (Shape{kDynamic, 10}));
}

// The same without pooling and Gemm, with a stem of stride 2; neck 9*64*64 and its BatchNorm, head (64 + 1) * 15; at 48x48, 24x24, 12x12.
TEST(MakeResNet, EndsInAGridAsADetector) {
  const Network network = make_resnet({.in_channels = 1, .height = 96, .width = 96, .is_detector = true, .stem_stride = 2});
  EXPECT_EQ(total_parameters(network), 144 + 4608 + 14336 + 57344 + 2 * (48 + 96 + 192) + 36864 + 128 + 975);
  EXPECT_EQ(total_macs(network), 2304 * (144 + 4608) + 576 * 14336 + 144 * (57344 + 36864 + 960));
  EXPECT_EQ(network.value(network.outputs[0]).shape, (Shape{kDynamic, 15, 12, 12}));
}

TEST(MakeResNet, DependsOnTheSeedAlone) {
  EXPECT_EQ(make_resnet({.seed = 3}), make_resnet({.seed = 3}));
  EXPECT_FALSE(make_resnet({.seed = 3}) == make_resnet({.seed = 4}));
}

TEST(MakeResNet, InitializesByFanOut) {
  const Network network = make_resnet({.widths = {64, 128}});
  for (const auto& node : network.nodes) {
    if (node.name != "stage2.block1.conv2") continue;
    const auto weights = network.constants.at(node.inputs[1]).values<float>();
    double sum = 0, squares = 0;
    for (const float w : weights) sum += w, squares += double{w} * w;
    const double n = static_cast<double>(weights.size());
    const double expected = std::sqrt(2.0 / (128 * 9));
    EXPECT_NEAR(sum / n, 0, 5 * expected / std::sqrt(n));  // five standard errors
    EXPECT_NEAR(std::sqrt(squares / n), expected, 5 * expected / std::sqrt(2 * n));
    return;
  }
  FAIL() << "no such layer";
}

TEST(MakeResNet, NamesBadOptions) {
  try {
    make_resnet({.classes = 1, .widths = {16, 0}});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), AllOf(::testing::HasSubstr("classes"), ::testing::HasSubstr("widths")));
  }
}

TEST(MakeResNet, NeedsImagesThatADetectorsGridDivides) {
  try {
    make_resnet({.height = 98, .width = 96, .is_detector = true});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("stride of 4"));
  }
}

}  // namespace
}  // namespace lathe::models
