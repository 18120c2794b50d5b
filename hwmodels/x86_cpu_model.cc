#include "hwmodels/x86_cpu_model.h"

#include <algorithm>
#include <utility>

#include "hwmodels/additive_model.h"
#include "hwmodels/op_demand.h"
#include "hwmodels/roofline.h"

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
        memory{.cache_bytes_per_s = d.at("cache_bytes_per_s"),
               .dram_bytes_per_s = d.at("dram_bytes_per_s"),
               .cache_pj_per_byte = d.at("cache_pj_per_byte"),
               .dram_pj_per_byte = d.at("dram_pj_per_byte")},
        thread_overhead_s(d.at("thread_overhead_s")),
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
  double last_level_cache_bytes;
  MemoryLevels memory;
  double thread_overhead_s;
  X86Type int8, fp32;
};

class X86CpuEstimator final : public OpEstimator {
 public:
  explicit X86CpuEstimator(const DeviceSpec& device) : capabilities_(device.capabilities), p_(device) {}

  OpEstimate estimate(const OpWorkload& op) const override {
    const OpDemand demand = op_demand(op);
    const OpBytes bytes = op_bytes(op, capabilities_);
    const X86Type& type = required_bits(op) <= p_.int8.type.bits ? p_.int8 : p_.fp32;
    if (demand.kernel == KernelClass::kVector) return finish(vector_kernel(demand, bytes, type), bytes, type);
    return finish(product_kernel(demand, bytes, type), bytes, type);
  }

 private:
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
    OpEstimate estimate = roofline(work, type.type, p_.memory, dram_bytes);
    estimate.overhead_s = type.op_overhead_s + (p_.threads > 1 ? p_.thread_overhead_s : 0);
    // int8 operators copy and requantize in passes of their own.
    estimate.latency_s = (type.type.bits == 8 ? estimate.compute_s + estimate.memory_s : std::max(estimate.compute_s, estimate.memory_s)) +
                         estimate.overhead_s;
    return estimate;
  }

  policies::DeviceCapabilities capabilities_;
  X86Parameters p_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_x86_cpu_model(DeviceSpec device) {
  auto estimator = std::make_unique<X86CpuEstimator>(device);
  return make_additive_model(std::move(device), std::move(estimator));
}

}  // namespace lathe::hwmodels
