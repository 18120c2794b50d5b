#include "hwmodels/memory_use.h"

#include <gtest/gtest.h>

namespace lathe::hwmodels {
namespace {

const policies::DeviceCapabilities kBytes{.channel_granularity = 1, .weight_bits = {2, 4, 8, 32}, .activation_bits = {8, 32}};

TEST(MemoryUse, PeakIsTheWorstMomentOfTheSchedule) {
  policies::Workload workload;
  workload.ops.resize(3);
  // Worked by hand: operator 0 has a + b = 150 alive, operator 1 a + b + c = 190, operator 2 c + d = 70.
  workload.values = {{-1, 1, 100, 8}, {0, 1, 50, 8}, {1, 2, 40, 8}, {2, 2, 30, 8}};
  EXPECT_EQ(peak_activation_bytes(workload, kBytes), 190);
}

TEST(MemoryUse, ActivationsTakeTheNextWidthThatTheDeviceStores) {
  policies::Workload workload;
  workload.ops.resize(1);
  workload.values = {{0, 0, 10, 4}};
  EXPECT_EQ(peak_activation_bytes(workload, kBytes), 10);
  workload.values = {{0, 0, 10, 16}};
  EXPECT_EQ(peak_activation_bytes(workload, kBytes), 40);
}

TEST(MemoryUse, WeightsArePackedAtTheirWidths) {
  policies::Workload workload;
  workload.ops.resize(2);
  workload.ops[0].weight_elements = 9;
  workload.ops[0].weight_bits = 2;  // 18 bits
  workload.ops[1].weight_elements = 5;
  workload.ops[1].weight_bits = 3;  // stored as 4: 20 bits
  EXPECT_EQ(weight_bytes(workload, kBytes), 3 + 3);
}

TEST(MemoryUse, AResultInPlaceOfItsInputIsCountedOnce) {
  policies::Workload workload;
  workload.ops.resize(4);
  // A residual block: operator 1 is the convolution, operator 2 the addition of its result to that of operator 0, operator 3 reads the sum.
  workload.values = {{0, 2, 100, 8}, {1, 2, 100, 8}, {2, 3, 100, 8, /*reuses=*/0}, {3, 3, 20, 8}};
  EXPECT_EQ(peak_activation_bytes(workload, kBytes), 200);
  // In floats the sum is larger than what it lies on: 100 bytes of one input, 400 of sum and other input together.
  workload.values[2].bits = 32;
  EXPECT_EQ(peak_activation_bytes(workload, kBytes), 500);
  workload.values[2].reuses = -1;
  EXPECT_EQ(peak_activation_bytes(workload, kBytes), 600);
}

TEST(MemoryUse, EmptyWorkloadUsesNothing) {
  EXPECT_EQ(peak_activation_bytes({}, kBytes), 0);
}

}  // namespace
}  // namespace lathe::hwmodels
