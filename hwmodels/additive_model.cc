#include "hwmodels/additive_model.h"

#include <algorithm>
#include <utility>

#include "hwmodels/memory_use.h"
#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

// The largest part.
const char* bound_of(const OpEstimate& estimate) {
  if (estimate.overhead_s >= std::max(estimate.compute_s, estimate.memory_s)) return "overhead";
  return estimate.compute_s >= estimate.memory_s ? "compute" : "memory";
}

class AdditiveModel final : public HardwareModel {
 public:
  AdditiveModel(DeviceSpec device, std::unique_ptr<const OpEstimator> estimator)
      : device_(std::move(device)),
        estimator_(std::move(estimator)),
        limits_(memory_limits(device_)),
        static_power_w_(device_.value_or("static_power_w", 0)) {}

  const DeviceSpec& device() const override { return device_; }
  bool is_additive() const override { return true; }
  OpCost op_cost(const OpWorkload& op) const override { return op.is_fused ? OpCost{} : cost_of(estimate(op)); }

  Prediction predict(const policies::Workload& workload) const override {
    Prediction prediction;
    prediction.is_calibrated = device_.is_calibrated;
    prediction.latency_log_deviation = device_.latency_log_deviation;
    prediction.notes = width_notes(device_, workload);
    std::ranges::move(estimator_->notes(workload), std::back_inserter(prediction.notes));
    for (const OpWorkload& op : workload.ops) {
      if (op.is_fused) continue;
      const OpEstimate op_estimate = estimate(op);
      const OpCost cost = cost_of(op_estimate);
      prediction.latency_ms += cost.latency_ms;
      prediction.energy_mj += cost.energy_mj;
      prediction.layers.push_back({.name = op.name, .cost = cost, .bound = bound_of(op_estimate)});
    }
    // mJ / ms = W.
    prediction.average_power_w = prediction.latency_ms > 0 ? prediction.energy_mj / prediction.latency_ms : static_power_w_;
    prediction.peak_activation_bytes = peak_activation_bytes(workload, device_.capabilities);
    prediction.weight_bytes = weight_bytes(workload, device_.capabilities);
    check_memory(prediction);
    return prediction;
  }

 private:
  OpEstimate estimate(const OpWorkload& op) const { return estimator_->estimate(at_device_widths(op, device_.capabilities)); }

  OpCost cost_of(const OpEstimate& estimate) const {
    constexpr double kMillis = 1e3;
    return {.latency_ms = estimate.latency_s * kMillis, .energy_mj = (estimate.dynamic_j + static_power_w_ * estimate.latency_s) * kMillis};
  }

  void check_memory(Prediction& prediction) const {
    if (fits(limits_, prediction.weight_bytes, prediction.peak_activation_bytes)) return;
    prediction.is_feasible = false;
    prediction.reason = shortage(limits_, prediction.weight_bytes, prediction.peak_activation_bytes);
  }

  DeviceSpec device_;
  std::unique_ptr<const OpEstimator> estimator_;
  MemoryLimits limits_;
  double static_power_w_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_additive_model(DeviceSpec device, std::unique_ptr<const OpEstimator> estimator) {
  return std::make_unique<AdditiveModel>(std::move(device), std::move(estimator));
}

std::vector<std::string> width_notes(const DeviceSpec& device, const policies::Workload& workload) {
  const int widest_weight = device.capabilities.weight_bits.back();
  const int widest_activation = device.capabilities.activation_bits.back();
  const auto is_wider = [&](const OpWorkload& op) {
    return op.weight_elements > 0 && (op.weight_bits > widest_weight || op.input_bits > widest_activation);
  };
  const auto wider = std::count_if(workload.ops.begin(), workload.ops.end(), is_wider);
  if (wider == 0) return {};
  return {std::to_string(wider) + " layers are wider than the device computes and are charged as " +
          std::to_string(std::max(widest_weight, widest_activation)) + "-bit integers, which its tool chain makes of them"};
}

}  // namespace lathe::hwmodels
