#include "hwmodels/x86_cpu_model.h"

#include <algorithm>
#include <utility>

#include "hwmodels/additive_prediction.h"
#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

// The kernels of one arithmetic type.
struct X86Type {
  ComputeType type;
  double reduction_granule;  // input channels that one instruction reduces
  double product_efficiency, depthwise_efficiency;
  double vector_elements_per_s, op_overhead_s;
};

struct X86Parameters {
  explicit X86Parameters(const DeviceSpec& d)
      : clock_hz(d.at("clock_hz")),
        threads(d.at("threads")),
        channel_block(d.at("channel_block")),
        tile_overhead_k(d.at("tile_overhead_k")),
        last_level_cache_bytes(d.at("last_level_cache_bytes")),
        cache_bytes_per_s(d.at("cache_bytes_per_s")),
        dram_bytes_per_s(d.at("dram_bytes_per_s")),
        thread_overhead_s(d.at("thread_overhead_s")),
        cache_pj_per_byte(d.at("cache_pj_per_byte")),
        dram_pj_per_byte(d.at("dram_pj_per_byte")),
        static_power_w(d.at("static_power_w")),
        memory_bytes(d.at("memory_bytes")),
        int8{.type = {8, d.at("int8_macs_per_cycle"), d.at("int8_pj_per_mac")},
             .reduction_granule = d.at("int8_reduction_granule"),
             .product_efficiency = d.at("int8_efficiency"),
             .depthwise_efficiency = d.at("int8_depthwise_efficiency"),
             .vector_elements_per_s = d.at("int8_elements_per_s"),
             .op_overhead_s = d.at("int8_op_overhead_s")},
        fp32{.type = {32, d.at("fp32_macs_per_cycle"), d.at("fp32_pj_per_mac")},
             .reduction_granule = 1,
             .product_efficiency = d.at("fp32_efficiency"),
             .depthwise_efficiency = d.at("fp32_depthwise_efficiency"),
             .vector_elements_per_s = d.at("fp32_elements_per_s"),
             .op_overhead_s = d.at("op_overhead_s")} {}

  double clock_hz, threads, channel_block, tile_overhead_k;
  double last_level_cache_bytes, cache_bytes_per_s, dram_bytes_per_s, thread_overhead_s;
  double cache_pj_per_byte, dram_pj_per_byte, static_power_w, memory_bytes;
  X86Type int8, fp32;
};

struct KernelWork {
  double compute_s = 0;
  double macs = 0;  // really executed, padding included, for energy
  double cache_bytes = 0;
};

class X86CpuModel final : public HardwareModel {
 public:
  explicit X86CpuModel(DeviceSpec device) : device_(std::move(device)), p_(device_) {}

  const DeviceSpec& device() const override { return device_; }
  bool is_additive() const override { return true; }
  OpCost op_cost(const OpWorkload& op) const override { return op.is_fused ? OpCost{} : op_cost_of(estimate(op), p_.static_power_w); }
  Prediction predict(const policies::Workload& workload) const override {
    return predict_additive(device_, workload, p_.static_power_w, p_.memory_bytes, [this](const OpWorkload& op) { return estimate(op); });
  }

 private:
  OpEstimate estimate(const OpWorkload& policy_op) const {
    const OpWorkload op = at_device_widths(policy_op, device_.capabilities);
    const OpDemand demand = op_demand(op);
    const OpBytes bytes = op_bytes(op, device_.capabilities);
    const X86Type& type = required_bits(op) <= p_.int8.type.bits ? p_.int8 : p_.fp32;
    if (demand.kernel == KernelClass::kVector) return finish(vector_kernel(demand, bytes, type), bytes, type);
    return finish(product_kernel(demand, bytes, type), bytes, type);
  }

  KernelWork product_kernel(const OpDemand& demand, const OpBytes& bytes, const X86Type& type) const {
    const bool is_depthwise = demand.kernel == KernelClass::kDepthwise;
    // Vector lanes hold output channels; a depthwise convolution has one in each group.
    const double channels =
        is_depthwise ? round_up(demand.groups * demand.n, p_.channel_block) : demand.groups * round_up(demand.n, p_.channel_block);
    const double k = is_depthwise ? demand.k : round_up(demand.k, type.reduction_granule) + p_.tile_overhead_k;
    const double efficiency = is_depthwise ? type.depthwise_efficiency : type.product_efficiency;
    const bool copies_windows = type.type.bits == 8 && !is_depthwise && demand.window > 1;
    return {.compute_s = demand.m * channels * k / (type.type.macs_per_cycle * efficiency * p_.clock_hz * p_.threads),
            .macs = demand.m * channels * k,
            .cache_bytes = bytes.input + bytes.output + bytes.weights + (copies_windows ? 2 * demand.expansion * bytes.input : 0)};
  }

  KernelWork vector_kernel(const OpDemand& demand, const OpBytes& bytes, const X86Type& type) const {
    return {.compute_s = demand.vector_ops / (type.vector_elements_per_s * p_.threads),
            .macs = demand.vector_ops,
            .cache_bytes = bytes.input + bytes.output + bytes.weights};
  }

  OpEstimate finish(const KernelWork& work, const OpBytes& bytes, const X86Type& type) const {
    const double dram_bytes = std::max(0.0, bytes.weights + bytes.input + bytes.output - p_.last_level_cache_bytes);
    OpEstimate estimate;
    estimate.compute_s = work.compute_s;
    estimate.memory_s = std::max(work.cache_bytes / p_.cache_bytes_per_s, dram_bytes / p_.dram_bytes_per_s);
    estimate.overhead_s = type.op_overhead_s + (p_.threads > 1 ? p_.thread_overhead_s : 0);
    // int8 operators copy and requantize in passes of their own.
    estimate.latency_s = (type.type.bits == 8 ? estimate.compute_s + estimate.memory_s : std::max(estimate.compute_s, estimate.memory_s)) +
                         estimate.overhead_s;
    estimate.dynamic_j =
        (work.macs * type.type.pj_per_mac + work.cache_bytes * p_.cache_pj_per_byte + dram_bytes * p_.dram_pj_per_byte) * 1e-12;
    return estimate;
  }

  DeviceSpec device_;
  X86Parameters p_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_x86_cpu_model(DeviceSpec device) {
  return std::make_unique<X86CpuModel>(std::move(device));
}

}  // namespace lathe::hwmodels
