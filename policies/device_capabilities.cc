#include "policies/device_capabilities.h"

#include <algorithm>
#include <set>

namespace lathe::policies {

DeviceCapabilities merge(const std::vector<DeviceCapabilities>& devices) {
  if (devices.empty()) return {};
  std::set<int> weight_bits, activation_bits;
  int granularity = devices.front().channel_granularity;
  bool runs_two_of_four = false, has_fixed_ranges = false;
  for (const DeviceCapabilities& device : devices) {
    weight_bits.insert(device.weight_bits.begin(), device.weight_bits.end());
    activation_bits.insert(device.activation_bits.begin(), device.activation_bits.end());
    granularity = std::min(granularity, device.channel_granularity);
    runs_two_of_four = runs_two_of_four || device.runs_two_of_four;
    has_fixed_ranges = has_fixed_ranges || device.has_fixed_ranges;
  }
  return {.channel_granularity = granularity,
          .weight_bits = {weight_bits.begin(), weight_bits.end()},
          .activation_bits = {activation_bits.begin(), activation_bits.end()},
          .runs_two_of_four = runs_two_of_four,
          .has_fixed_ranges = has_fixed_ranges};
}

}  // namespace lathe::policies
