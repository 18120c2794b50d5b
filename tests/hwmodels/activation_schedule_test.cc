#include "hwmodels/activation_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "hwmodels/memory_use.h"
#include "models/base/rng.h"

namespace lathe::hwmodels {
namespace {

using policies::LiveValue;
using policies::Workload;

const policies::DeviceCapabilities kBytes{.channel_granularity = 1, .weight_bits = {8}, .activation_bits = {8, 32}};

std::int64_t peak_by_schedule(const Workload& workload) {
  const ActivationSchedule schedule(static_cast<int>(workload.ops.size()), workload.values);
  // What does not matter is poisoned.
  std::vector<std::int64_t> bytes(workload.values.size(), 1LL << 40), change(static_cast<std::size_t>(schedule.moment_count()) + 1);
  for (std::size_t v = 0; v < bytes.size(); ++v) {
    if (schedule.matters(static_cast<int>(v))) bytes[v] = value_bytes(workload.values[v], kBytes);
  }
  return schedule.peak_bytes(bytes.data(), change.data());
}

TEST(ActivationSchedule, DropsMomentsThatAnotherOneCovers) {
  Workload workload;
  workload.ops.resize(3);
  // Operator 0 has a and b alive, operator 1 a, b and c, operator 2 only c: one moment is left.
  workload.values = {{-1, 1, 100, 8}, {0, 1, 50, 8}, {1, 2, 40, 8}};
  const ActivationSchedule schedule(3, workload.values);
  EXPECT_EQ(schedule.moment_count(), 1);
  EXPECT_EQ(peak_by_schedule(workload), 190);
}

TEST(ActivationSchedule, EqualsThePeakOfRandomSchedules) {
  Rng rng(1, "schedules");
  int in_place = 0;
  for (int trial = 0; trial < 500; ++trial) {
    SCOPED_TRACE(::testing::Message() << "trial " << trial);
    Workload workload;
    const int ops = 1 + static_cast<int>(rng.below(12));
    workload.ops.resize(static_cast<std::size_t>(ops));
    workload.values.push_back({-1, static_cast<int>(rng.below(ops)), 1 + rng.below(100), 8});
    std::vector<bool> is_reused(1, false);
    for (int op = 0; op < ops; ++op) {
      const int last = std::min(ops - 1, op + static_cast<int>(rng.below(4)));
      LiveValue value{op, last, 1 + rng.below(100), rng.below(2) == 0 ? 8 : 32};
      for (int v = 1; v < static_cast<int>(workload.values.size()) && value.reuses < 0; ++v) {
        if (workload.values[static_cast<std::size_t>(v)].last != op || is_reused[static_cast<std::size_t>(v)] || rng.below(2) == 0)
          continue;
        value.reuses = v;
        is_reused[static_cast<std::size_t>(v)] = true;
        ++in_place;
      }
      workload.values.push_back(value);
      is_reused.push_back(false);
    }
    EXPECT_EQ(peak_by_schedule(workload), peak_activation_bytes(workload, kBytes));
  }
  EXPECT_GT(in_place, 500);
}

TEST(ActivationSchedule, EmptyNetworkUsesNothing) {
  EXPECT_EQ(peak_by_schedule({}), 0);
}

}  // namespace
}  // namespace lathe::hwmodels
