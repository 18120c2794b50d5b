#include "hwmodels/arm_mcu_model.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "hwmodels/additive_model.h"
#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

struct McuParameters {
  explicit McuParameters(const DeviceSpec& d)
      : clock_hz(d.at("clock_hz")),
        depthwise_factor(d.at("depthwise_factor")),
        dense_factor(d.at("dense_factor")),
        reduction_granule(d.at("reduction_granule")),
        channel_tile(d.at("channel_tile")),
        im2col_cycles(d.at("im2col_cycles_per_element")),
        output_cycles(d.at("output_cycles_per_element")),
        vector_cycles(d.at("vector_cycles_per_element")),
        overhead_cycles(d.at("op_overhead_cycles")),
        flash_bytes_per_cycle(d.at("flash_bytes_per_cycle")),
        active_pj_per_cycle(d.at("active_pj_per_cycle")),
        pj_per_mac(d.at("pj_per_mac")),
        flash_pj_per_byte(d.at("flash_pj_per_byte")) {
    for (const auto& [bits, key] : {std::pair{8, "int8_cycles_per_mac"}, {16, "int16_cycles_per_mac"}, {32, "fp32_cycles_per_mac"}}) {
      types.push_back({.bits = bits, .macs_per_cycle = 1 / d.at(key), .pj_per_mac = pj_per_mac});
    }
  }

  double clock_hz, depthwise_factor, dense_factor, reduction_granule, channel_tile;
  double im2col_cycles, output_cycles, vector_cycles, overhead_cycles, flash_bytes_per_cycle;
  double active_pj_per_cycle, pj_per_mac, flash_pj_per_byte;
  std::vector<ComputeType> types;  // ascending in bits
};

class ArmMcuEstimator final : public OpEstimator {
 public:
  explicit ArmMcuEstimator(const DeviceSpec& device) : capabilities_(device.capabilities), p_(device) {}

  OpEstimate estimate(const OpWorkload& op) const override {
    const OpDemand demand = op_demand(op);
    const double macs = padded_macs(demand);
    double cycles = 0;
    if (demand.kernel == KernelClass::kVector) {
      cycles = demand.vector_ops * p_.vector_cycles;
    } else {
      cycles = macs * cycles_per_mac(demand, required_bits(op)) + im2col_elements(op, demand) * p_.im2col_cycles +
               static_cast<double>(op.output_elements) * p_.output_cycles;
    }
    return finish(cycles, macs, op_bytes(op, capabilities_).weights);
  }

 private:
  // The inner loop takes reduction_granule values at a time, the outer one channel_tile channels.
  double padded_macs(const OpDemand& demand) const {
    if (demand.kernel == KernelClass::kVector) return 0;
    if (demand.kernel == KernelClass::kDepthwise) return demand.m * demand.k * round_up(demand.groups * demand.n, p_.channel_tile);
    return demand.groups * demand.m * round_up(demand.n, p_.channel_tile) * round_up(demand.k, p_.reduction_granule);
  }

  double cycles_per_mac(const OpDemand& demand, int bits) const {
    double least = 0;
    for (const ComputeType& type : p_.types) {
      if (!may_execute(type, bits, p_.types)) continue;
      const double cycles = 1 / type.macs_per_cycle;
      least = least > 0 ? std::min(least, cycles) : cycles;
    }
    if (demand.kernel == KernelClass::kDepthwise) return least * p_.depthwise_factor;
    return demand.m > 1 ? least : least * p_.dense_factor;
  }

  static double im2col_elements(const OpWorkload& op, const OpDemand& demand) {
    if (demand.kernel != KernelClass::kMatrix || op.kind == policies::OpKind::kGemm || op.kind == policies::OpKind::kMatMul) return 0;
    return demand.groups * demand.m * demand.k;
  }

  OpEstimate finish(double cycles, double macs, double weight_bytes) const {
    const double flash_cycles = weight_bytes / p_.flash_bytes_per_cycle;
    OpEstimate estimate;
    estimate.compute_s = cycles / p_.clock_hz;
    estimate.memory_s = flash_cycles / p_.clock_hz;
    estimate.overhead_s = p_.overhead_cycles / p_.clock_hz;
    estimate.latency_s = std::max(estimate.compute_s, estimate.memory_s) + estimate.overhead_s;
    const double busy_cycles = estimate.latency_s * p_.clock_hz;
    estimate.dynamic_j = (busy_cycles * p_.active_pj_per_cycle + macs * p_.pj_per_mac + weight_bytes * p_.flash_pj_per_byte) * 1e-12;
    return estimate;
  }

  policies::DeviceCapabilities capabilities_;
  McuParameters p_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_arm_mcu_model(DeviceSpec device) {
  auto estimator = std::make_unique<ArmMcuEstimator>(device);
  return make_additive_model(std::move(device), std::move(estimator));
}

}  // namespace lathe::hwmodels
