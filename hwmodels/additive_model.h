// Devices that run one operator after another: latency and energy of a network are sums over its operators. What differs between such
// devices is how long one operator takes (OpEstimator); summing up, static power, memory limits and notes are the same for all.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {

// How long an operator takes, and why.
struct OpEstimate {
  double compute_s = 0;   // arithmetic alone
  double memory_s = 0;    // the slowest level of memory alone
  double overhead_s = 0;  // start, synchronization
  double latency_s = 0;   // together, with what overlaps
  double dynamic_j = 0;   // energy beside static power
};

// Thread-safe, const, without state.
class OpEstimator {
 public:
  virtual ~OpEstimator() = default;
  // op: not fused, at the widths that the device stores (at_device_widths).
  virtual OpEstimate estimate(const policies::OpWorkload& op) const = 0;
  // What the reader of a prediction must know beside what holds for all devices.
  virtual std::vector<std::string> notes(const policies::Workload& /*workload*/) const { return {}; }
};

// Sums the estimates; fused operators cost nothing. static_power_w of the device file, 0 where there is none, is added over the latency,
// and weights and activations must be within its memory_limits.
std::unique_ptr<HardwareModel> make_additive_model(DeviceSpec device, std::unique_ptr<const OpEstimator> estimator);

// Notes where the device executes layers at a width other than the policy's.
std::vector<std::string> width_notes(const DeviceSpec& device, const policies::Workload& workload);

}  // namespace lathe::hwmodels
