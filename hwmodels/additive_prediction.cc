#include "hwmodels/additive_prediction.h"

#include <algorithm>

namespace lathe::hwmodels {

const char* bound_of(const OpEstimate& estimate) {
  if (estimate.overhead_s >= std::max(estimate.compute_s, estimate.memory_s)) return "overhead";
  return estimate.compute_s >= estimate.memory_s ? "compute" : "memory";
}

OpCost op_cost_of(const OpEstimate& estimate, double static_power_w) {
  constexpr double kMillis = 1e3;
  return {.latency_ms = estimate.latency_s * kMillis, .energy_mj = (estimate.dynamic_j + static_power_w * estimate.latency_s) * kMillis};
}

void check_memory(const MemoryLimits& limits, Prediction& prediction) {
  if (fits(limits, prediction.weight_bytes, prediction.peak_activation_bytes)) return;
  prediction.is_feasible = false;
  prediction.reason = shortage(limits, prediction.weight_bytes, prediction.peak_activation_bytes);
}

std::vector<std::string> width_notes(const DeviceSpec& device, const policies::Workload& workload) {
  const int widest_weight = device.capabilities.weight_bits.back();
  const int widest_activation = device.capabilities.activation_bits.back();
  const auto is_wider = [&](const policies::OpWorkload& op) {
    return op.weight_elements > 0 && (op.weight_bits > widest_weight || op.input_bits > widest_activation);
  };
  const auto wider = std::count_if(workload.ops.begin(), workload.ops.end(), is_wider);
  if (wider == 0) return {};
  return {std::to_string(wider) + " layers are wider than the device computes and are charged as " +
          std::to_string(std::max(widest_weight, widest_activation)) + "-bit integers, which its tool chain makes of them"};
}

Prediction predict_additive(const DeviceSpec& device, const policies::Workload& workload, double static_power_w, const MemoryLimits& limits,
                            const std::function<OpEstimate(const policies::OpWorkload&)>& estimate) {
  Prediction prediction;
  prediction.is_calibrated = device.is_calibrated;
  prediction.latency_log_deviation = device.latency_log_deviation;
  prediction.notes = width_notes(device, workload);
  for (const policies::OpWorkload& op : workload.ops) {
    if (op.is_fused) continue;
    const OpEstimate op_estimate = estimate(op);
    const OpCost cost = op_cost_of(op_estimate, static_power_w);
    prediction.latency_ms += cost.latency_ms;
    prediction.energy_mj += cost.energy_mj;
    prediction.layers.push_back({.name = op.name, .cost = cost, .bound = bound_of(op_estimate)});
  }
  // mJ / ms = W.
  prediction.average_power_w = prediction.latency_ms > 0 ? prediction.energy_mj / prediction.latency_ms : static_power_w;
  prediction.peak_activation_bytes = peak_activation_bytes(workload, device.capabilities);
  prediction.weight_bytes = weight_bytes(workload, device.capabilities);
  check_memory(limits, prediction);
  return prediction;
}

}  // namespace lathe::hwmodels
