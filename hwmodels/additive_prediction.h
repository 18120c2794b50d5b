// Prediction of devices that run one operator after another: latency and energy are sums over operators.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hwmodels/hardware_model.h"
#include "hwmodels/memory_use.h"

namespace lathe::hwmodels {

// How long an operator takes, and why.
struct OpEstimate {
  double compute_s = 0;   // arithmetic alone
  double memory_s = 0;    // the slowest level of memory alone
  double overhead_s = 0;  // start, synchronization
  double latency_s = 0;   // together, with what overlaps
  double dynamic_j = 0;   // energy beside static power
};

// "compute", "memory" or "overhead": the largest part.
const char* bound_of(const OpEstimate& estimate);

OpCost op_cost_of(const OpEstimate& estimate, double static_power_w);

// Sums `estimate` over the operators; fused operators cost nothing. Weights and activations must be within `limits`.
Prediction predict_additive(const DeviceSpec& device, const policies::Workload& workload, double static_power_w, const MemoryLimits& limits,
                            const std::function<OpEstimate(const policies::OpWorkload&)>& estimate);

// Notes where the device executes layers at a width other than the policy's.
std::vector<std::string> width_notes(const DeviceSpec& device, const policies::Workload& workload);

// Sets is_feasible and reason where weights and activations exceed the memory.
void check_memory(const MemoryLimits& limits, Prediction& prediction);

}  // namespace lathe::hwmodels
