// The generated networks are those of timm and torchvision: their parameter counts, as timm's model cards and torchvision's documentation
// publish them.
#include "bench/torch_networks/torch_networks.h"

#include <gtest/gtest.h>

namespace lathe::torch_networks {
namespace {

struct Published {
  const char* name;
  std::int64_t parameters;
};

class TorchNetworks : public ::testing::TestWithParam<Published> {};

TEST_P(TorchNetworks, HasThePublishedNumberOfParameters) {
  const auto network = make_torch_network(GetParam().name, {});
  ASSERT_TRUE(network);
  EXPECT_EQ(network->parameters, GetParam().parameters);
}

constexpr Published kPublished[] = {{"resnet18", 11689512},
                                    {"resnet34", 21797672},
                                    {"resnet50", 25557032},
                                    {"wide_resnet50_2", 68883240},
                                    {"resnext50_32x4d", 25028904},
                                    {"regnetx_002", 2684792},
                                    {"regnety_008", 6263168},
                                    {"mobilenetv2_100", 3504872},
                                    {"mnasnet_100", 4383312},
                                    {"efficientnet_b0", 5288548},
                                    {"efficientnet_b1", 7794184},
                                    {"efficientnet_lite0", 4652008},
                                    {"mobilenetv3_large_100", 5483032},
                                    {"mobilenetv3_small_100", 2542856},
                                    {"shufflenet_v2_x1_0", 2278604},
                                    {"vgg16", 138357544},
                                    {"alexnet", 61100840},
                                    {"squeezenet1_1", 1235496},
                                    {"densenet121", 7978856},
                                    {"vit_tiny_patch16_224", 5717416},
                                    {"vit_small_patch16_224", 22050664},
                                    {"mixer_b16_224", 59880472},
                                    {"convnext_tiny", 28589128}};
INSTANTIATE_TEST_SUITE_P(Published, TorchNetworks, ::testing::ValuesIn(kPublished),
                         [](const auto& info) { return std::string(info.param.name); });

// 4.09 GMAC: K. He et al., CVPR 2016, table 1, for the variant with the stride in the 3x3 convolution.
TEST(TorchNetworks, ResNet50HasItsMultiplyAccumulates) {
  const auto network = make_torch_network("resnet50", {});
  ASSERT_TRUE(network);
  std::int64_t macs = 0;
  for (const policies::OpWorkload& op : network->workload.ops) macs += op.macs;
  EXPECT_NEAR(static_cast<double>(macs), 4.09e9, 0.02e9);
}

TEST(TorchNetworks, UnknownNamesAreNotGuessed) {
  EXPECT_FALSE(make_torch_network("resnet19", {}));
  EXPECT_FALSE(make_torch_network("vit_tiny_patch8_224", {}));
}

}  // namespace
}  // namespace lathe::torch_networks
