#include "hwmodels/arm_model.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "hwmodels/additive_model.h"
#include "hwmodels/op_demand.h"
#include "hwmodels/roofline.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

// Lavin and Gray 2016, F(4x4, 3x3): a 6x6 input tile gives a 4x4 output tile.
constexpr double kWinogradOut = 4, kWinogradProducts = 36;
// Additions and multiplications of the transforms with common terms shared: 12 one-dimensional transforms of 12 operations on the way
// in, 10 of 10 on the way out (counted from the matrices B^T and A^T of section 4.3), for each tile and channel.
constexpr double kWinogradInputOps = 144, kWinogradOutputOps = 100;

// Activations share the last-level cache with weights and the packed panels of both (assumption: half each).
constexpr double kActivationShare = 0.5;

// Multiply-accumulates of bytes over those of 16 bits: 16 products in three instructions (smull, smlal2, sadalp) instead of four.
constexpr double kWideningGain = 4.0 / 3;

struct ArmParameters {
  explicit ArmParameters(const DeviceSpec& d)
      : clock_hz(d.at("clock_hz")),
        threads(d.at("threads")),
        gemm_efficiency(d.at("gemm_efficiency")),
        depthwise_efficiency(d.at("depthwise_efficiency")),
        winograd_efficiency(d.at("winograd_efficiency")),
        int8_reduction_granule(d.at("int8_reduction_granule")),
        vector_bytes(d.at("vector_bytes")),
        tile_channels(d.at("tile_channels")),
        tile_pixels(d.at("tile_pixels")),
        tile_overhead_k(d.at("tile_overhead_k")),
        unpack_per_s(d.at("unpack_weights_per_cycle") * clock_hz * threads),
        cache_bytes(d.at("last_level_cache_bytes") * kActivationShare),
        memory{.cache_bytes_per_s = std::min(d.at("cache_bytes_per_cycle"), d.at("core_cache_bytes_per_cycle") * threads) * clock_hz,
               .dram_bytes_per_s = std::min(d.at("dram_bytes_per_s"), d.at("core_dram_bytes_per_s") * threads),
               .cache_pj_per_byte = d.at("cache_pj_per_byte"),
               .dram_pj_per_byte = d.at("dram_pj_per_byte")},
        memory_overlap(d.at("memory_overlap")),
        overhead_s(d.at("op_overhead_s") + d.at("thread_overhead_s") * std::log2(threads)),
        int16_macs_per_cycle(d.value_or("int16_macs_per_cycle", 0)) {
    types.push_back({8, d.at("int8_macs_per_cycle"), d.at("int8_pj_per_mac")});
    if (d.parameters.contains("fp16_macs_per_cycle")) {
      types.push_back({16, d.at("fp16_macs_per_cycle"), d.value_or("fp16_pj_per_mac", d.at("fp32_pj_per_mac"))});
    }
    types.push_back({32, d.at("fp32_macs_per_cycle"), d.at("fp32_pj_per_mac")});
  }

  double clock_hz, threads;
  double gemm_efficiency, depthwise_efficiency, winograd_efficiency;
  double int8_reduction_granule, vector_bytes, tile_channels, tile_pixels, tile_overhead_k, unpack_per_s;
  double cache_bytes;
  MemoryLevels memory;
  double memory_overlap, overhead_s;
  double int16_macs_per_cycle;
  std::vector<ComputeType> types;  // ascending in bits
};

class ArmEstimator final : public OpEstimator {
 public:
  explicit ArmEstimator(const DeviceSpec& device) : capabilities_(device.capabilities), p_(device) {}

  OpEstimate estimate(const OpWorkload& op) const override {
    const OpDemand demand = op_demand(op);
    const OpBytes bytes = op_bytes(op, capabilities_);
    if (demand.kernel == KernelClass::kVector) return finish(vector_kernel(op, demand, bytes), bytes, p_.types.back());
    const int bits = required_bits(op);
    OpEstimate best{.latency_s = -1};
    const auto consider = [&](const KernelWork& work, const ComputeType& type) {
      const OpEstimate candidate = finish(work, bytes, type);
      if (best.latency_s < 0 || candidate.latency_s < best.latency_s) best = candidate;
    };
    for (const ComputeType& type : p_.types) {
      if (!may_execute(type, bits, p_.types)) continue;
      const double unpacked = static_cast<double>(op.weight_elements) * type.bits / 8;
      for (const bool is_packed : {false, true}) {
        if (is_packed && bytes.weights >= unpacked) continue;
        const double weights = is_packed ? bytes.weights : unpacked;
        const double unpack_s = is_packed ? static_cast<double>(op.weight_elements) / p_.unpack_per_s : 0.0;
        KernelWork work =
            demand.kernel == KernelClass::kDepthwise ? depthwise_kernel(demand, bytes, type) : matrix_kernel(demand, bytes, type);
        work.compute_s += unpack_s;
        work.cache_bytes += weights;
        work.weight_bytes = weights;
        consider(work, type);
      }
      if (demand.is_winograd_able) consider_winograd(op, demand, bytes, type, consider);
    }
    return best;
  }

 private:
  // Work in equal parts for the threads, of which the last round may be incomplete.
  double share_of_threads(double parts) const { return ceil_div(parts, p_.threads) / parts; }

  KernelWork matrix_kernel(const OpDemand& demand, const OpBytes& bytes, const ComputeType& type) const {
    const double k = type.bits == 8 ? round_up(demand.k, p_.int8_reduction_granule) : demand.k;
    const double tiles = demand.groups * ceil_div(demand.m, p_.tile_pixels) * ceil_div(demand.n, p_.tile_channels);
    const double outputs = tiles * p_.tile_pixels * p_.tile_channels;
    const double rate = type.macs_per_cycle * p_.gemm_efficiency * p_.clock_hz;
    KernelWork work;
    work.compute_s = outputs * (k + p_.tile_overhead_k) / rate * share_of_threads(std::max(1.0, tiles));
    work.macs = outputs * k;
    // The windows are copied (written and read) to make a matrix of them; a 1x1 convolution reads its input as it is.
    work.cache_bytes = bytes.output + bytes.input * (demand.expansion > 1 ? 1 + 2 * demand.expansion : 1);
    return work;
  }

  template <typename Consider>
  void consider_winograd(const OpWorkload& op, const OpDemand& demand, const OpBytes& bytes, const ComputeType& type,
                         const Consider& consider) const {
    // Transformed 8-bit values need 16 bits.
    const double rate_per_cycle = type.bits == 8 ? p_.int16_macs_per_cycle : type.macs_per_cycle;
    if (rate_per_cycle <= 0) return;
    const double element_bytes = type.bits == 8 ? 2 : type.bits / 8;
    const double window_tiles = static_cast<double>(op.batch) * ceil_div(static_cast<double>(op.out_height), kWinogradOut) *
                                ceil_div(static_cast<double>(op.out_width), kWinogradOut);
    const double channels = static_cast<double>(op.in_channels);
    const double tiles = kWinogradProducts * ceil_div(window_tiles, p_.tile_pixels) * ceil_div(demand.n, p_.tile_channels);
    const double outputs = tiles * p_.tile_pixels * p_.tile_channels;
    const double transform_ops = window_tiles * (channels * kWinogradInputOps + demand.n * kWinogradOutputOps);
    const double lanes = p_.vector_bytes / element_bytes;
    KernelWork work;
    work.compute_s = outputs * (channels + p_.tile_overhead_k) / (rate_per_cycle * p_.winograd_efficiency * p_.clock_hz) *
                         share_of_threads(std::max(1.0, tiles)) +
                     transform_ops / (lanes * p_.depthwise_efficiency * p_.clock_hz * p_.threads);
    work.macs = outputs * channels;
    work.weight_bytes = static_cast<double>(op.weight_elements) * kWinogradProducts / demand.window * element_bytes;
    work.cache_bytes =
        bytes.input + bytes.output + work.weight_bytes + 2 * window_tiles * kWinogradProducts * (channels + demand.n) * element_bytes;
    consider(work, type);
  }

  // Vector lanes hold channels; every tap is a load and a multiply-accumulate, which depthwise_efficiency stands for.
  KernelWork depthwise_kernel(const OpDemand& demand, const OpBytes& bytes, const ComputeType& type) const {
    const double lanes = p_.vector_bytes * 8 / type.bits;
    const double channel_blocks = ceil_div(demand.groups * demand.n, lanes);
    const double outputs = demand.m * channel_blocks * lanes;
    const double rate = depthwise_macs_per_cycle(type) * p_.depthwise_efficiency * p_.clock_hz;
    KernelWork work;
    // Several input channels an output channel (a grouped convolution that was labelled depthwise) multiply the taps.
    work.macs = outputs * demand.k;
    work.compute_s = work.macs / rate * share_of_threads(std::max(1.0, channel_blocks * ceil_div(demand.m, p_.tile_pixels)));
    work.cache_bytes = bytes.input + bytes.output;
    return work;
  }

  // A dot product reduces over channels, which a depthwise convolution does not: bytes are multiplied into 16 bits, as on older cores.
  double depthwise_macs_per_cycle(const ComputeType& type) const {
    const bool is_widening = type.bits == 8 && p_.int16_macs_per_cycle > 0;
    return is_widening ? std::min(type.macs_per_cycle, kWideningGain * p_.int16_macs_per_cycle) : type.macs_per_cycle;
  }

  KernelWork vector_kernel(const OpWorkload& op, const OpDemand& demand, const OpBytes& bytes) const {
    const double lanes = p_.vector_bytes * 8 / width_on_device(op.input_bits, capabilities_.activation_bits);
    KernelWork work;
    work.compute_s = demand.vector_ops / (lanes * p_.depthwise_efficiency * p_.clock_hz * p_.threads);
    work.macs = demand.vector_ops;
    work.weight_bytes = bytes.weights;
    work.cache_bytes = bytes.input + bytes.output + bytes.weights;
    return work;
  }

  OpEstimate finish(const KernelWork& work, const OpBytes& bytes, const ComputeType& type) const {
    const double dram_bytes = work.weight_bytes + std::max(0.0, bytes.input + bytes.output - p_.cache_bytes);
    OpEstimate estimate = roofline(work, type, p_.memory, dram_bytes);
    estimate.overhead_s = p_.overhead_s;
    const auto [shorter, longer] = std::minmax(estimate.compute_s, estimate.memory_s);
    estimate.latency_s = longer + (1 - p_.memory_overlap) * shorter + p_.overhead_s;
    return estimate;
  }

  policies::DeviceCapabilities capabilities_;
  ArmParameters p_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_arm_model(DeviceSpec device) {
  auto estimator = std::make_unique<ArmEstimator>(device);
  return make_additive_model(std::move(device), std::move(estimator));
}

}  // namespace lathe::hwmodels
