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

TEST(MemoryUse, EmptyWorkloadUsesNothing) {
  EXPECT_EQ(peak_activation_bytes({}, kBytes), 0);
}

}  // namespace
}  // namespace lathe::hwmodels
