// Micro-controllers; the laws that hold for every device are in hardware_model_test.cc.
#include "hwmodels/arm_mcu_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample_workloads.h"

namespace lathe::hwmodels {
namespace {

using ::testing::HasSubstr;

using policies::OpWorkload;

OpWorkload eight_bits(ConvShape shape) {
  shape.weight_bits = shape.activation_bits = 8;
  return conv_op(shape);
}

double cycles_of(const std::string& device, const OpWorkload& op) {
  const auto model = make_hardware_model(load_device(device));
  return model->op_cost(op).latency_ms / 1e3 * model->device().at("clock_hz");
}

TEST(ArmMcuModel, CountsTheCyclesOfAConvolution) {
  // 32 x 32 pixels, 3 x 3 windows of 6 channels (54 values, padded to 56), 5 outputs (padded to 6).
  const OpWorkload op = eight_bits({.in = 6, .out = 5, .size = 32});
  const DeviceSpec device = load_device("stm32l4r5");
  const double expected = 1024.0 * 56 * 6 * device.at("int8_cycles_per_mac") + 1024.0 * 54 * device.at("im2col_cycles_per_element") +
                          1024.0 * 5 * device.at("output_cycles_per_element") + device.at("op_overhead_cycles");
  EXPECT_NEAR(cycles_of("stm32l4r5", op), expected, 1e-6 * expected);
}

TEST(ArmMcuModel, AgreesWithCmsisNnOnCortexM7) {
  // L. Lai, N. Suda, V. Chandra, CMSIS-NN, arXiv 1801.06601, table 1: 5x5 convolutions of the CIFAR-10 network on an STM32F746 at 216 MHz,
  // 32 -> 32 channels at 16x16 in 42.8 ms, 32 -> 64 at 8x8 in 22.6 ms. Kernels have become faster since; a factor of 1.5 is agreement.
  const auto model = make_hardware_model(load_device("stm32f746"));
  const double third_ms = model->op_cost(eight_bits({.in = 32, .out = 32, .size = 16, .kernel = 5})).latency_ms;
  const double fifth_ms = model->op_cost(eight_bits({.in = 32, .out = 64, .size = 8, .kernel = 5})).latency_ms;
  EXPECT_GT(third_ms, 42.8 / 1.5);
  EXPECT_LT(third_ms, 42.8 * 1.5);
  EXPECT_NEAR(third_ms / fifth_ms, 42.8 / 22.6, 0.2);
}

TEST(ArmMcuModel, DepthwiseAndDenseLayersTakeMoreCyclesAMac) {
  const auto cycles_per_mac = [](const OpWorkload& op) {
    return (cycles_of("stm32l4r5", op) - load_device("stm32l4r5").at("op_overhead_cycles")) / static_cast<double>(op.macs);
  };
  const double matrix = cycles_per_mac(eight_bits({.in = 64, .out = 64, .size = 16, .kernel = 1}));
  EXPECT_GT(cycles_per_mac(eight_bits({.in = 64, .out = 64, .size = 16, .groups = 64})), 2 * matrix);
  EXPECT_GT(cycles_per_mac(gemm_op(1, 640, 128, 8, 8)), 1.2 * matrix);
}

TEST(ArmMcuModel, FloatsAreSlowerThanBytesAndFourBitWeightsAreNot) {
  for (const char* device : {"stm32g0b1", "stm32l4r5", "stm32u575", "stm32f746", "cortex-m55-mps3"}) {
    ConvShape shape{.in = 32, .out = 32, .size = 16};
    const double floats = cycles_of(device, conv_op(shape));
    const double bytes = cycles_of(device, eight_bits(shape));
    shape.weight_bits = 4;
    shape.activation_bits = 8;
    EXPECT_GT(floats, 1.4 * bytes) << device;
    EXPECT_LE(cycles_of(device, conv_op(shape)), bytes) << device;
  }
}

TEST(ArmMcuModel, CoresAreInTheOrderOfTheirInstructionSets) {
  const OpWorkload op = eight_bits({.in = 32, .out = 32, .size = 16});
  EXPECT_GT(cycles_of("stm32g0b1", op), 3 * cycles_of("stm32l4r5", op));        // no SIMD against SMLAD
  EXPECT_GT(cycles_of("stm32l4r5", op), 1.3 * cycles_of("stm32f746", op));      // dual issue
  EXPECT_GT(cycles_of("stm32f746", op), 3 * cycles_of("cortex-m55-mps3", op));  // Helium
}

TEST(ArmMcuModel, EnergyIsOfCyclesMacsAndFlash) {
  const DeviceSpec device = load_device("stm32u575");
  const auto model = make_hardware_model(device);
  const OpWorkload op = eight_bits({.in = 32, .out = 32, .size = 16, .kernel = 1});
  const OpCost cost = model->op_cost(op);
  const double seconds = cost.latency_ms / 1e3;
  const double picojoules = seconds * device.at("clock_hz") * device.at("active_pj_per_cycle") +
                            static_cast<double>(op.macs) * device.at("pj_per_mac") + 1024 * device.at("flash_pj_per_byte");
  EXPECT_NEAR(cost.energy_mj, 1e3 * (picojoules * 1e-12 + seconds * device.at("static_power_w")), 1e-9 * cost.energy_mj);
}

TEST(ArmMcuModel, SramAndFlashAreHardLimits) {
  DeviceSpec device = load_device("stm32l4r5");
  const policies::Workload workload{.ops = {eight_bits({.in = 64, .out = 64, .size = 32})},
                                    .values = {{-1, 0, 64 * 32 * 32, 8}, {0, 0, 64 * 32 * 32, 8}}};
  EXPECT_TRUE(make_hardware_model(device)->predict(workload).is_feasible);
  device.parameters["sram_bytes"] = device.at("runtime_sram_bytes") + 2 * 64 * 32 * 32 - 1;
  const Prediction short_of_sram = make_hardware_model(device)->predict(workload);
  EXPECT_FALSE(short_of_sram.is_feasible);
  EXPECT_THAT(short_of_sram.reason, HasSubstr("activations take 131072 bytes of SRAM, the runtime leaves 131071"));
  device = load_device("stm32l4r5");
  device.parameters["flash_bytes"] = device.at("runtime_flash_bytes") + 64 * 64 * 9 - 1;
  const Prediction short_of_flash = make_hardware_model(device)->predict(workload);
  EXPECT_FALSE(short_of_flash.is_feasible);
  EXPECT_THAT(short_of_flash.reason, HasSubstr("weights take 36864 bytes of flash, the runtime leaves 36863"));
}

}  // namespace
}  // namespace lathe::hwmodels
