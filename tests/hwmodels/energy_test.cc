// Energy is what arithmetic, bytes by level and static power take, each by a number of the device file, and nothing else.
#include <gtest/gtest.h>

#include <algorithm>

#include "hwmodels/hardware_model.h"
#include "sample_workloads.h"

namespace lathe::hwmodels {
namespace {

double energy_mj(const DeviceSpec& device, const policies::Workload& workload) {
  return make_hardware_model(device)->predict(workload).energy_mj;
}

class EnergyOf : public ::testing::TestWithParam<std::string> {};

// Energy is linear in its coefficients without a rest: what doubling each of them adds is, together, all of it (Euler's theorem on
// homogeneous functions).
TEST_P(EnergyOf, IsTheSumOfItsCoefficients) {
  const DeviceSpec device = load_device(GetParam());
  for (const int bits : {4, 8, 32}) {
    const policies::Workload workload = cifar_resnet(1, 16, bits, bits);
    const double all = energy_mj(device, workload);
    double parts = 0;
    int coefficients = 0;
    for (const auto& [key, value] : device.parameters) {
      if (key.find("pj_per_") == std::string::npos && key != "static_power_w" && key != "active_power_w") continue;
      DeviceSpec doubled = device;
      doubled.parameters[key] = 2 * value;
      const double part = energy_mj(doubled, workload) - all;
      EXPECT_GE(part, -1e-12 * all) << key;
      parts += part;
      ++coefficients;
    }
    if (coefficients == 0) GTEST_SKIP() << "no energy model";
    // Differences of sums of some hundred terms.
    EXPECT_NEAR(parts, all, 1e-9 * all) << bits << " bits";
  }
}

TEST_P(EnergyOf, StaticPowerIsPaidForTheWholeLatency) {
  DeviceSpec device = load_device(GetParam());
  if (!device.parameters.contains("static_power_w")) GTEST_SKIP() << "no energy model";
  const policies::Workload workload = cifar_resnet(1, 16, 8, 8);
  const double before = energy_mj(device, workload);
  device.parameters["static_power_w"] += 2;
  const double latency_ms = make_hardware_model(device)->predict(workload).latency_ms;
  EXPECT_NEAR(energy_mj(device, workload) - before, 2 * latency_ms, 1e-9 * before);  // W * ms = mJ
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Energy, EnergyOf, ::testing::ValuesIn(device_names()), test_name);

TEST(Energy, OfADataflowPipelineByHand) {
  DeviceSpec device = load_device("finn-zcu104");
  // Multipliers in look-up tables.
  device.parameters["dsps"] = 1e-3;
  device.parameters["lut_pj_per_bit_mac"] = 0.1;
  device.parameters["on_chip_pj_per_byte"] = 4;
  device.parameters["dram_pj_per_byte"] = 150;
  device.parameters["static_power_w"] = 8;
  const policies::Workload workload{.ops = {conv_op({.in = 16, .out = 32, .size = 8, .weight_bits = 4, .activation_bits = 5})},
                                    .values = {}};
  const Prediction prediction = make_hardware_model(device)->predict(workload);
  const double macs = 64.0 * 16 * 32 * 9;
  const double arithmetic_pj = macs * 4 * 5 * 0.1;
  // A weight of half a byte for each product; 64 x 32 outputs of 5 bits written and read once.
  const double on_chip_pj = (macs * 4 / 8 + 2 * 64 * 32 * 5.0 / 8) * 4;
  // 16 x 8 x 8 inputs and 32 x 8 x 8 outputs of 5 bits pass the memory.
  const double dram_pj = (1024 + 2048) * 5.0 / 8 * 150;
  EXPECT_NEAR(prediction.energy_mj, (arithmetic_pj + on_chip_pj + dram_pj) * 1e-9 + 8 * prediction.latency_ms, 1e-12);
}

}  // namespace
}  // namespace lathe::hwmodels
