// Counts of the networks of LATHE_DATA against published figures, and that import leaves no shape arithmetic in them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "models/fold_batch_norm.h"
#include "models/onnx_reader.h"
#include "models/op_counts.h"

namespace lathe::models {
namespace {

std::string model_path(const std::string& name) {
  const char* data = std::getenv("LATHE_DATA");
  return (data != nullptr ? std::string(data) : LATHE_SOURCE_DIR "/../shared/data") + "/models/" + name + ".onnx";
}

struct Counts {
  const char* name;
  std::int64_t macs_low, macs_high, parameters;
  int batch_norms;
};

class RealNetwork : public testing::TestWithParam<Counts> {};

TEST_P(RealNetwork, HasThePublishedCounts) {
  const Counts expected = GetParam();
  const std::string path = model_path(expected.name);
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is not there: set LATHE_DATA";
  const Network network = read_onnx(path);
  EXPECT_GE(total_macs(network), expected.macs_low);
  EXPECT_LE(total_macs(network), expected.macs_high);
  if (expected.parameters > 0) {
    EXPECT_EQ(total_parameters(network), expected.parameters);
  }
  for (const Node& node : network.nodes) EXPECT_TRUE(node.op != "Shape" && node.op != "Constant" && node.op != "Identity") << node.name;
  EXPECT_EQ(network.nodes.size() - fold_batch_norm(network).nodes.size(), static_cast<std::size_t>(expected.batch_norms));
}

// ResNet-20/32/56: 40.55 million multiply-accumulates in convolutions and the Gemm for ResNet-20 (40.81 in counts that add the biases
// and projections that option-A shortcuts do not have); parameters 0.27, 0.46 and 0.85 million (K. He et al., 2016, table 6).
// EfficientNet-Lite0: 407 million, 4.7 million parameters (tensorflow/tpu, efficientnet/lite), which count more than products.
// SqueezeNet 1.0: 1,248,424 parameters (torchvision.models.squeezenet1_0).
// MiniLM: 6 blocks x 32 tokens x (4 x 384^2 + 2 x 384 x 1536) = 340 million, and 4.7 million for attention and the head.
INSTANTIATE_TEST_SUITE_P(LatheData, RealNetwork,
                         testing::Values(Counts{"resnet20_cifar10", 40'550'000, 40'810'000, 269'722, 19},
                                         Counts{"resnet32_cifar10", 68'860'000, 69'130'000, 464'154, 31},
                                         Counts{"resnet56_cifar10", 125'480'000, 125'750'000, 853'018, 55},
                                         Counts{"efficientnet_lite0", 384'000'000, 407'000'000, 4'652'008, 49},
                                         Counts{"squeezenet_deepcompressed", 700'000'000, 900'000'000, 1'248'424, 0},
                                         Counts{"minilm_sst2", 330'000'000, 360'000'000, 0, 0}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace lathe::models
