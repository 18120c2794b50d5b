// What the GPU model adds to the laws that every device is held to (hardware_model_test.cc).
#include "hwmodels/gpu_model.h"

#include <gtest/gtest.h>

#include "sample_workloads.h"

namespace lathe::hwmodels {
namespace {

std::unique_ptr<HardwareModel> h200() {
  return make_hardware_model(load_device("nvidia-h200"));
}

constexpr double kGraphStartUs = 3.4;

double latency_us(const HardwareModel& model, const ConvShape& shape) {
  return 1e3 * model.op_cost(conv_op(shape)).latency_ms;
}

// One step of tile quantization: 98 tiles of 128 pixels x 128 channels fill 132 multiprocessors once up to 128 channels, and not beyond
// 256 channels. Measured (h200_dev.csv, h14_ci256, batch 64, fp16): 20.7 us at 120, 32.6 us at 248, 52.4 us at 264 channels, of which some
// 3.4 us are the start of the graph.
TEST(GpuModel, LatencyStepsWhereAWaveOfTilesIsFull) {
  const auto model = h200();
  const ConvShape shape{.in = 256, .size = 14, .batch = 64, .weight_bits = 16, .activation_bits = 16};
  const auto at = [&](std::int64_t channels) {
    ConvShape wide = shape;
    wide.out = channels;
    return latency_us(*model, wide);
  };
  EXPECT_LT(at(248) / at(200), 1.05);
  EXPECT_GT(at(264) / at(248), 1.3);
  EXPECT_NEAR(at(248) + kGraphStartUs, 32.6, 6);
  EXPECT_NEAR(at(264) + kGraphStartUs, 52.4, 10);
}

// Measured (the same file, batch 1): 11.3 us in fp16 and 15.1 us in TF32 whatever the channels, with the start of the graph: the reduction
// of 2304 elements takes as long as its steps, one after another.
TEST(GpuModel, SmallConvolutionsTakeAsLongAsTheirReduction) {
  const auto model = h200();
  const ConvShape half{.in = 256, .out = 128, .size = 14, .weight_bits = 16, .activation_bits = 16};
  const ConvShape full{.in = 256, .out = 128, .size = 14};
  EXPECT_NEAR(latency_us(*model, half) + kGraphStartUs, 11.3, 2);
  EXPECT_NEAR(latency_us(*model, full) + kGraphStartUs, 15.1, 2);
}

// Measured (docs/results/gpu_host.md): 8192 x 4096 x 4096 in fp16 500 us, by 2:4 sparse weights 270 us; at 4096 x 1024 x 1024 sparse
// kernels lose, so that dense ones are taken.
TEST(GpuModel, LargeProductsByTwoOfFourWeightsAreFaster) {
  const auto model = h200();
  const auto latency = [&](std::int64_t rows, std::int64_t channels, policies::OpKind kind, bool is_sparse) {
    policies::OpWorkload op =
        conv_op({.in = channels, .out = channels, .size = 1, .kernel = 1, .batch = rows, .weight_bits = 16, .activation_bits = 16});
    op.kind = kind;
    if (is_sparse) op.sparsity = {.share = 0.5, .is_two_of_four = true};
    return model->op_cost(op).latency_ms;
  };
  const auto gain = [&](std::int64_t rows, std::int64_t channels, policies::OpKind kind) {
    return latency(rows, channels, kind, false) / latency(rows, channels, kind, true);
  };
  EXPECT_NEAR(gain(8192, 4096, policies::OpKind::kGemm), 500.0 / 270, 0.25);
  EXPECT_EQ(gain(4096, 1024, policies::OpKind::kGemm), 1);
  EXPECT_EQ(gain(8192, 4096, policies::OpKind::kConv), 1) << "not offered";
}

TEST(GpuModel, WithoutTf32ConvolutionsRunOutsideOfTensorCores) {
  DeviceSpec device = load_device("nvidia-h200");
  const auto tf32 = make_hardware_model(device);
  device.parameters.erase("tf32_macs_per_cycle");
  const auto fp32 = make_hardware_model(device);
  const ConvShape shape{.in = 256, .out = 256, .size = 14, .batch = 64};
  EXPECT_GT(latency_us(*fp32, shape), 3 * latency_us(*tf32, shape));
}

TEST(GpuModel, GroupedConvolutionIsNoSlowerThanItsDirectKernel) {
  const auto model = h200();
  const ConvShape grouped{.in = 128, .out = 128, .size = 56, .groups = 32, .batch = 64};
  const ConvShape depthwise{.in = 128, .out = 128, .size = 56, .groups = 128, .batch = 64};
  // Four times the multiply-accumulates of the depthwise one.
  EXPECT_LE(latency_us(*model, grouped), 4 * latency_us(*model, depthwise));
}

// LayerNorm over 64 channels of 256 x 56 x 56 pixels in fp32 takes 1176 us (bench/measure_h200.py), six times as long as its bytes need: a
// row is a thread block's work.
TEST(GpuModel, ReductionsOfShortRowsTakeTheirTimeARow) {
  const auto model = h200();
  policies::OpWorkload norm = conv_op({.in = 64, .out = 64, .size = 56, .kernel = 1, .batch = 256});
  norm.kind = policies::OpKind::kReduction;
  norm.macs = norm.weight_elements = 0;
  EXPECT_NEAR(1e3 * model->op_cost(norm).latency_ms, 1176, 120);
}

// BatchNormalization in fp16 over 256 x 256 x 56 x 56 elements takes 493 us, ReLU 203 us (the same script): the factors of a channel are
// indexed for each element.
TEST(GpuModel, NumbersForEachChannelCostMoreThanTheirBytes) {
  const auto model = h200();
  policies::OpWorkload relu = add_op(256LL * 256 * 56 * 56, 16);
  relu.input_elements /= 2;
  policies::OpWorkload norm = relu;
  norm.table_elements = 4 * 256;
  EXPECT_NEAR(1e3 * model->op_cost(relu).latency_ms, 203, 40);
  EXPECT_NEAR(1e3 * model->op_cost(norm).latency_ms, 493, 120);
}

}  // namespace
}  // namespace lathe::hwmodels
