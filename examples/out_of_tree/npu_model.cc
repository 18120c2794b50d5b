#include "npu_model.h"

#include <algorithm>
#include <utility>

#include "hwmodels/additive_prediction.h"

namespace npu {
namespace {

using lathe::hwmodels::DeviceSpec;
using lathe::hwmodels::OpEstimate;
using lathe::policies::OpWorkload;

class NpuModel final : public lathe::hwmodels::HardwareModel {
 public:
  explicit NpuModel(DeviceSpec device) : device_(std::move(device)) {}

  const DeviceSpec& device() const override { return device_; }
  bool is_additive() const override { return true; }

  lathe::hwmodels::Prediction predict(const lathe::policies::Workload& workload) const override {
    return predict_additive(device_, workload, device_.at("static_power_w"), device_.at("memory_bytes"),
                            [this](const OpWorkload& op) { return estimate(op); });
  }

  lathe::hwmodels::OpCost op_cost(const OpWorkload& op) const override {
    if (op.is_fused) return {};
    return op_cost_of(estimate(op), device_.at("static_power_w"));
  }

 private:
  // Roofline: the longer of arithmetic and memory, and a start. A product of w x a bits takes w * a / 64 of an 8-bit one.
  OpEstimate estimate(const OpWorkload& op) const {
    constexpr double kByteProduct = 64, kBitsPerByte = 8, kJoulePerPicojoule = 1e-12;
    const auto bits = [](int width) { return static_cast<double>(std::clamp(width, 4, 16)); };
    const double products = static_cast<double>(op.macs) * bits(op.weight_bits) * bits(op.input_bits) / kByteProduct;
    const double bytes =
        (static_cast<double>(op.weight_elements) * op.weight_bits + static_cast<double>(op.input_elements) * op.input_bits +
         static_cast<double>(op.output_elements) * op.output_bits) /
        kBitsPerByte;
    OpEstimate estimate;
    estimate.compute_s = products / (device_.at("int8_macs_per_cycle") * device_.at("clock_hz"));
    estimate.memory_s = bytes / device_.at("dram_bytes_per_s");
    estimate.overhead_s = device_.at("op_overhead_s");
    estimate.latency_s = std::max(estimate.compute_s, estimate.memory_s) + estimate.overhead_s;
    estimate.dynamic_j = (products * device_.at("int8_pj_per_mac") + bytes * device_.at("dram_pj_per_byte")) * kJoulePerPicojoule;
    return estimate;
  }

  DeviceSpec device_;
};

}  // namespace

lathe::hwmodels::RegisteredDeviceClass npu_device_class() {
  return {.name = "npu",
          .parameters = {{"clock_hz", true, "clock of the array"},
                         {"int8_macs_per_cycle", true, "8-bit products of the array"},
                         {"dram_bytes_per_s", true, "sustained bandwidth of the memory"},
                         {"op_overhead_s", true, "time to start an operator"},
                         {"int8_pj_per_mac", true, "energy of an 8-bit product"},
                         {"dram_pj_per_byte", true, "energy of a byte from memory"},
                         {"static_power_w", true, "idle power"},
                         {"memory_bytes", true, "memory that a network may fill"}},
          .make = [](DeviceSpec device) { return std::make_unique<NpuModel>(std::move(device)); }};
}

}  // namespace npu
