#include "npu_model.h"

#include <algorithm>
#include <utility>

#include "hwmodels/additive_model.h"

namespace npu {
namespace {

using lathe::hwmodels::DeviceSpec;
using lathe::hwmodels::OpEstimate;
using lathe::policies::OpWorkload;

class NpuEstimator final : public lathe::hwmodels::OpEstimator {
 public:
  explicit NpuEstimator(const DeviceSpec& device) : device_(device) {}

  // Roofline: the longer of arithmetic and memory, and a start. A product of w x a bits takes w * a / 64 of an 8-bit one.
  OpEstimate estimate(const OpWorkload& op) const override {
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

 private:
  DeviceSpec device_;
};

std::unique_ptr<lathe::hwmodels::HardwareModel> make_npu_model(DeviceSpec device) {
  auto estimator = std::make_unique<NpuEstimator>(device);
  return make_additive_model(std::move(device), std::move(estimator));
}

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
          .make = make_npu_model};
}

}  // namespace npu
