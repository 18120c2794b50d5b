#include "hwmodels/gpu_model.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "hwmodels/additive_prediction.h"
#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {
namespace {

using policies::OpWorkload;

struct Tile {
  double m, n;
};
// Thread-block tiles of cuBLAS and CUTLASS (NVIDIA, Matrix Multiplication Background, section 4.1, lists 256x128 down to 64x64).
constexpr Tile kTiles[] = {{256, 128}, {128, 256}, {128, 128}, {256, 64}, {64, 256}, {128, 64}, {64, 128}, {64, 64}};
// Ways to split the reduction over thread blocks (split-K); each part writes fp32 sums that are then added.
constexpr double kSplits[] = {1, 2, 4, 8, 16};
constexpr double kPartialSumBytes = 4;

struct GpuType {
  ComputeType type;
  bool is_tensor_core;
};

struct GpuParameters {
  explicit GpuParameters(const DeviceSpec& d)
      : clock_hz(d.at("clock_hz")),
        multiprocessors(d.at("multiprocessors")),
        math_efficiency(d.at("math_efficiency")),
        simt_efficiency(d.at("simt_efficiency")),
        alignment_bytes(d.at("channel_alignment_bytes")),
        step_bytes(d.at("tile_step_bytes")),
        shared_bytes_per_s(d.at("shared_bytes_per_cycle") * clock_hz),
        tile_overhead_s(d.at("tile_overhead_s")),
        l2_bytes(d.at("l2_bytes")),
        l2_bytes_per_s(d.at("l2_bytes_per_s")),
        dram_bytes_per_s(d.at("dram_bytes_per_s")),
        overhead_s(d.at("kernel_overhead_s")),
        l2_pj_per_byte(d.at("l2_pj_per_byte")),
        dram_pj_per_byte(d.at("dram_pj_per_byte")),
        static_power_w(d.at("static_power_w")),
        memory_bytes(d.at("memory_bytes")),
        simt({32, d.at("fp32_macs_per_cycle"), d.at("fp32_pj_per_mac")}) {
    const auto add = [&](int bits, const char* rate, const char* energy, const char* energy_otherwise) {
      if (!d.parameters.contains(rate)) return;
      types.push_back({{bits, d.at(rate), d.value_or(energy, d.at(energy_otherwise))}, true});
    };
    add(4, "int4_macs_per_cycle", "int4_pj_per_mac", "int8_pj_per_mac");
    add(8, "int8_macs_per_cycle", "int8_pj_per_mac", "int8_pj_per_mac");
    add(16, "fp16_macs_per_cycle", "fp16_pj_per_mac", "fp16_pj_per_mac");
    add(32, "tf32_macs_per_cycle", "tf32_pj_per_mac", "fp32_pj_per_mac");
    types.push_back({simt, false});
  }

  double clock_hz, multiprocessors;
  double math_efficiency, simt_efficiency;
  double alignment_bytes, step_bytes, shared_bytes_per_s, tile_overhead_s;
  double l2_bytes, l2_bytes_per_s, dram_bytes_per_s, overhead_s;
  double l2_pj_per_byte, dram_pj_per_byte, static_power_w, memory_bytes;
  ComputeType simt;
  std::vector<GpuType> types;  // ascending in bits
};

struct KernelWork {
  double compute_s = 0;
  double macs = 0;      // really executed, padding included, for energy
  double l2_bytes = 0;  // through the second-level cache
  double kernels = 1;
};

class GpuModel final : public HardwareModel {
 public:
  explicit GpuModel(DeviceSpec device) : device_(std::move(device)), p_(device_) {}

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
    if (demand.kernel == KernelClass::kVector) return finish(simt_kernel(demand.vector_ops, bytes), bytes, p_.simt);
    if (demand.kernel == KernelClass::kDepthwise) return finish(simt_kernel(demand.macs, bytes), bytes, p_.simt);
    const int bits = required_bits(op);
    OpEstimate best{.latency_s = -1};
    for (const GpuType& gpu_type : p_.types) {
      // The last type is 32 bits wide, so there is always one that is wide enough.
      if (gpu_type.type.bits < bits) continue;
      for (const Tile& tile : kTiles) {
        const double tiles = demand.groups * ceil_div(demand.m, tile.m) * ceil_div(demand.n, tile.n);
        for (const double split : kSplits) {
          if (split > 1 && tiles >= p_.multiprocessors) break;  // there is no idle multiprocessor to give a part to
          const OpEstimate candidate = finish(matrix_kernel(demand, bytes, gpu_type, tile, split), bytes, gpu_type.type);
          if (best.latency_s < 0 || candidate.latency_s < best.latency_s) best = candidate;
        }
      }
    }
    return best;
  }

  KernelWork matrix_kernel(const OpDemand& demand, const OpBytes& bytes, const GpuType& gpu_type, const Tile& tile, double split) const {
    const ComputeType& type = gpu_type.type;
    const double element_bytes = type.bits / 8.0;
    const double alignment = gpu_type.is_tensor_core ? p_.alignment_bytes / element_bytes : 1;
    const double n = round_up(demand.n, alignment);
    const double k = round_up(demand.k / demand.window, alignment) * demand.window;
    const double step_k = p_.step_bytes / element_bytes;
    const double rows = ceil_div(demand.m, tile.m), columns = ceil_div(n, tile.n);
    const double tiles = demand.groups * rows * columns;
    const double steps = ceil_div(k, split * step_k);
    const double efficiency = gpu_type.is_tensor_core ? p_.math_efficiency : p_.simt_efficiency;
    const double step_s = std::max(tile.m * tile.n * step_k / (type.macs_per_cycle * efficiency * p_.clock_hz),
                                   (tile.m + tile.n) * p_.step_bytes / p_.shared_bytes_per_s);
    KernelWork work;
    work.compute_s = ceil_div(tiles * split, p_.multiprocessors) * (steps * step_s + p_.tile_overhead_s);
    work.kernels = split > 1 ? 2 : 1;  // a second one adds up the parts
    work.macs = tiles * tile.m * tile.n * split * steps * step_k;
    work.l2_bytes = tiles * (tile.m + tile.n) * split * steps * p_.step_bytes + bytes.output +
                    (split > 1 ? 2 * split * demand.groups * demand.m * demand.n * kPartialSumBytes : 0);
    return work;
  }

  // One multiply-accumulate or element operation a lane; the caches see each byte once.
  KernelWork simt_kernel(double operations, const OpBytes& bytes) const {
    return {.compute_s = operations / (p_.simt.macs_per_cycle * p_.simt_efficiency * p_.clock_hz * p_.multiprocessors),
            .macs = operations,
            .l2_bytes = bytes.input + bytes.output + bytes.weights};
  }

  OpEstimate finish(const KernelWork& work, const OpBytes& bytes, const ComputeType& type) const {
    const double dram_bytes = bytes.weights + std::max(0.0, bytes.input + bytes.output - p_.l2_bytes);
    OpEstimate estimate;
    estimate.compute_s = work.compute_s;
    estimate.memory_s = std::max(work.l2_bytes / p_.l2_bytes_per_s, dram_bytes / p_.dram_bytes_per_s);
    estimate.overhead_s = work.kernels * p_.overhead_s;
    estimate.latency_s = std::max(estimate.compute_s, estimate.memory_s) + estimate.overhead_s;
    estimate.dynamic_j = (work.macs * type.pj_per_mac + work.l2_bytes * p_.l2_pj_per_byte + dram_bytes * p_.dram_pj_per_byte) * 1e-12;
    return estimate;
  }

  DeviceSpec device_;
  GpuParameters p_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_gpu_model(DeviceSpec device) {
  return std::make_unique<GpuModel>(std::move(device));
}

}  // namespace lathe::hwmodels
