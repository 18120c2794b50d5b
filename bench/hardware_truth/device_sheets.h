// Data sheets of the chips in the published tables (device_sheets.csv): a device file of ours for the kind of core, and what differs.
// Bandwidths of second-level caches are estimates, all else is as the makers publish it.
#pragma once

#include <map>
#include <string>

#include "hwmodels/device_spec.h"

namespace lathe::bench {

struct DeviceSheet {
  hwmodels::DeviceSpec device;
  // A framework runs operators one by one, none fused, each dispatched by the host; otherwise a compiled engine runs the network.
  bool is_unfused = false;
};

// By chip.
std::map<std::string, DeviceSheet> device_sheets();

}  // namespace lathe::bench
