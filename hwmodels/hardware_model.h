// Predicts latency, energy and memory of a workload on a device. Analytical: physics first, the device's numbers from its file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hwmodels/device_spec.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

struct OpCost {
  double latency_ms = 0;
  double energy_mj = 0;  // dynamic energy plus static power over latency_ms
};

struct FpgaResources {
  double lut = 0, ff = 0, bram36 = 0, dsp = 0;
};

struct LayerPrediction {
  std::string name;
  OpCost cost;
  std::string bound;  // what limits it: "compute", "memory", "overhead"
};

struct Prediction {
  double latency_ms = 0;
  double energy_mj = 0;
  double average_power_w = 0;
  std::int64_t peak_activation_bytes = 0;
  std::int64_t weight_bytes = 0;
  std::optional<FpgaResources> resources;
  bool is_feasible = true;  // false: does not fit (resources, memory); `reason` says what
  std::string reason;
  bool is_calibrated = false;
  double latency_log_deviation = 0;  // standard deviation of the logarithm of the true latency; 0 = no error bar is known
  std::vector<std::string> notes;  // what the reader must know: widths that the device executes otherwise than the policy says
  std::vector<LayerPrediction> layers;
};

// The latency that a measurement stays below with this probability, log-normal around the prediction. probability: above 0, below 1.
double latency_quantile_ms(const Prediction& prediction, double probability);
// The central 90 %; empty where no error bar is known.
std::optional<std::pair<double, double>> latency_interval_ms(const Prediction& prediction);
// The factor by which the quantile differs from the prediction.
double latency_quantile_factor(double latency_log_deviation, double probability);

// Thread-safe, const, no state of a prediction is kept.
class HardwareModel {
 public:
  virtual ~HardwareModel() = default;
  virtual const DeviceSpec& device() const = 0;
  virtual Prediction predict(const policies::Workload& workload) const = 0;
  // Whether the network's latency is the sum of its operators' (ARM, GPU, DPU) so that tables of op_cost may stand in for predict.
  virtual bool is_additive() const = 0;
  // Cost of one operator (zero for a fused one); only where is_additive().
  virtual OpCost op_cost(const policies::OpWorkload& op) const = 0;
};

std::unique_ptr<HardwareModel> make_hardware_model(DeviceSpec device);

}  // namespace lathe::hwmodels
