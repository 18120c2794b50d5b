#include "hwmodels/x86_cpu_model.h"

#include <algorithm>
#include <array>
#include <utility>

#include "hwmodels/additive_prediction.h"
#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

struct X86Type {
  ComputeType type;
  double product_efficiency, depthwise_efficiency;
  double reduction_granule;  // input channels that one instruction reduces
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
        overhead_s(d.at("op_overhead_s") + (threads > 1 ? d.at("thread_overhead_s") : 0)),
        cache_pj_per_byte(d.at("cache_pj_per_byte")),
        dram_pj_per_byte(d.at("dram_pj_per_byte")),
        static_power_w(d.at("static_power_w")),
        memory_bytes(d.at("memory_bytes")),
        types{
            {{{8, d.at("int8_macs_per_cycle"), d.at("int8_pj_per_mac")},
              d.at("int8_efficiency"),
              d.at("int8_depthwise_efficiency"),
              d.at("int8_reduction_granule")},
             {{32, d.at("fp32_macs_per_cycle"), d.at("fp32_pj_per_mac")}, d.at("fp32_efficiency"), d.at("fp32_depthwise_efficiency"), 1}}} {
  }

  double clock_hz, threads, channel_block, tile_overhead_k;
  double last_level_cache_bytes, cache_bytes_per_s, dram_bytes_per_s, overhead_s;
  double cache_pj_per_byte, dram_pj_per_byte, static_power_w, memory_bytes;
  std::array<X86Type, 2> types;
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
    if (demand.kernel == KernelClass::kVector) return finish(vector_kernel(demand, bytes), bytes, p_.types.back().type);
    OpEstimate best{.latency_s = -1};
    for (const X86Type& type : p_.types) {
      if (type.type.bits < required_bits(op)) continue;
      const OpEstimate candidate = finish(product_kernel(demand, bytes, type), bytes, type.type);
      if (best.latency_s < 0 || candidate.latency_s < best.latency_s) best = candidate;
    }
    return best;
  }

  KernelWork product_kernel(const OpDemand& demand, const OpBytes& bytes, const X86Type& type) const {
    const bool is_depthwise = demand.kernel == KernelClass::kDepthwise;
    // Vector lanes hold output channels; a depthwise convolution has one in each group.
    const double channels =
        is_depthwise ? round_up(demand.groups * demand.n, p_.channel_block) : demand.groups * round_up(demand.n, p_.channel_block);
    const double k = is_depthwise ? demand.k : round_up(demand.k, type.reduction_granule);
    const double efficiency = is_depthwise ? type.depthwise_efficiency : type.product_efficiency;
    const bool copies_windows = type.type.bits == 8 && !is_depthwise && demand.window > 1;
    KernelWork work;
    work.macs = demand.m * channels * k;
    work.compute_s = demand.m * channels * (k + p_.tile_overhead_k) / (type.type.macs_per_cycle * efficiency * p_.clock_hz * p_.threads);
    work.cache_bytes = bytes.input + bytes.output + bytes.weights + (copies_windows ? 2 * demand.expansion * bytes.input : 0);
    return work;
  }

  KernelWork vector_kernel(const OpDemand& demand, const OpBytes& bytes) const {
    const X86Type& fp32 = p_.types.back();
    return {.compute_s = demand.vector_ops / (fp32.type.macs_per_cycle * fp32.depthwise_efficiency * p_.clock_hz * p_.threads),
            .macs = demand.vector_ops,
            .cache_bytes = bytes.input + bytes.output + bytes.weights};
  }

  OpEstimate finish(const KernelWork& work, const OpBytes& bytes, const ComputeType& type) const {
    const double dram_bytes = std::max(0.0, bytes.weights + bytes.input + bytes.output - p_.last_level_cache_bytes);
    OpEstimate estimate;
    estimate.compute_s = work.compute_s;
    estimate.memory_s = std::max(work.cache_bytes / p_.cache_bytes_per_s, dram_bytes / p_.dram_bytes_per_s);
    estimate.overhead_s = p_.overhead_s;
    estimate.latency_s = std::max(estimate.compute_s, estimate.memory_s) + estimate.overhead_s;
    estimate.dynamic_j = (work.macs * type.pj_per_mac + work.cache_bytes * p_.cache_pj_per_byte + dram_bytes * p_.dram_pj_per_byte) * 1e-12;
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
