#include "hwmodels/gpu_model.h"

#include <algorithm>
#include <span>
#include <utility>
#include <vector>

#include "hwmodels/additive_model.h"
#include "hwmodels/op_demand.h"
#include "hwmodels/roofline.h"

namespace lathe::hwmodels {
namespace {

using policies::OpKind;
using policies::OpWorkload;

struct Tile {
  double m, n;
};
// Thread-block tiles of cuBLAS and CUTLASS (NVIDIA, Matrix Multiplication Background, section 4.1, lists 256x128 down to 64x64).
constexpr Tile kTiles[] = {{256, 128}, {128, 256}, {128, 128}, {256, 64}, {64, 256}, {128, 64}, {64, 128}, {64, 64}};
// Hopper's tensor cores take products of any multiple of 8 columns (wgmma: NVIDIA, PTX ISA, asynchronous warpgroup-level matrix
// instructions), so that its kernels have tiles of 192 as well: a convolution takes longer by a step at every 64 output channels.
constexpr Tile kWarpgroupTiles[] = {{256, 128}, {128, 256}, {192, 128}, {128, 192}, {128, 128},
                                    {256, 64},  {64, 256},  {128, 64},  {64, 128},  {64, 64}};
// Ways to split the reduction over thread blocks (split-K); each part writes fp32 sums that are then added. Products only: cuDNN's
// convolutions of small batches take as long as their reduction (bench/hardware_truth, section h200).
constexpr double kSplits[] = {1, 2, 4, 8, 16};
constexpr double kPartialSumBytes = 4;
// Outside of tensor cores a step of the main loop takes 8 elements of the reduction (cuBLAS and CUTLASS SIMT kernels).
constexpr double kSimtStepK = 8;
// Winograd's F(2x2, 3x3): 16 products a tile of 4 outputs in place of 36 (A. Lavin and S. Gray, CVPR 2016, section 4.1).
constexpr double kWinogradOutputs = 4, kWinogradProducts = 16, kWinogradTransforms = 3;

struct GpuType {
  ComputeType type;
  bool is_tensor_core;
  double sparse_speedup = 1;  // of products by 2:4 sparse weights
};

struct GpuParameters {
  explicit GpuParameters(const DeviceSpec& d)
      : clock_hz(d.at("clock_hz")),
        multiprocessors(d.at("multiprocessors")),
        math_efficiency(d.at("math_efficiency")),
        simt_efficiency(d.at("simt_efficiency")),
        attention_efficiency(d.at("attention_efficiency")),
        winograd_efficiency(d.at("winograd_efficiency")),
        direct_efficiency(d.at("direct_efficiency")),
        product_simt_efficiency(d.at("product_simt_efficiency")),
        copied_elements_per_s(d.at("copied_elements_per_s")),
        pooled_elements_per_s(d.at("pooled_elements_per_s")),
        reduced_rows_per_s(d.at("reduced_rows_per_s")),
        step_latency_s(d.at("step_latency_s")),
        simt_step_latency_s(d.at("simt_step_latency_s")),
        alignment_bytes(d.at("channel_alignment_bytes")),
        step_bytes(d.at("tile_step_bytes")),
        shared_bytes_per_s(d.at("shared_bytes_per_cycle") * clock_hz),
        tile_overhead_s(d.at("tile_overhead_s")),
        l2_bytes(d.at("l2_bytes")),
        memory{.cache_bytes_per_s = d.at("l2_bytes_per_s"),
               .dram_bytes_per_s = d.at("dram_bytes_per_s"),
               .cache_pj_per_byte = d.at("l2_pj_per_byte"),
               .dram_pj_per_byte = d.at("dram_pj_per_byte")},
        overhead_s(d.at("kernel_overhead_s")),
        convolution_overhead_s(d.at("convolution_overhead_s")),
        active_power_w(d.value_or("active_power_w", 0)),
        tensor_core_tiles(d.parameters.contains("warpgroup_columns") ? std::span<const Tile>(kWarpgroupTiles) : kTiles),
        sparse_overhead_s(d.value_or("sparse_overhead_s", 0)),
        simt({32, d.at("fp32_macs_per_cycle"), d.at("fp32_pj_per_mac")}) {
    const auto add = [&](int bits, const char* rate, const char* energy, const char* energy_otherwise, double sparse_speedup = 1) {
      if (!d.parameters.contains(rate)) return;
      types.push_back({{bits, d.at(rate), d.value_or(energy, d.at(energy_otherwise))}, true, sparse_speedup});
    };
    add(4, "int4_macs_per_cycle", "int4_pj_per_mac", "int8_pj_per_mac");
    add(8, "int8_macs_per_cycle", "int8_pj_per_mac", "int8_pj_per_mac", d.value_or("int8_sparse_speedup", 1));
    add(16, "fp16_macs_per_cycle", "fp16_pj_per_mac", "fp16_pj_per_mac", d.value_or("fp16_sparse_speedup", 1));
    add(32, "tf32_macs_per_cycle", "tf32_pj_per_mac", "fp32_pj_per_mac");
    types.push_back({simt, false});
  }

  double clock_hz, multiprocessors;
  double math_efficiency, simt_efficiency, attention_efficiency, winograd_efficiency, direct_efficiency;
  double product_simt_efficiency, copied_elements_per_s, pooled_elements_per_s, reduced_rows_per_s;
  double step_latency_s, simt_step_latency_s;
  double alignment_bytes, step_bytes, shared_bytes_per_s, tile_overhead_s;
  double l2_bytes;
  MemoryLevels memory;
  double overhead_s, convolution_overhead_s;
  double active_power_w;
  std::span<const Tile> tensor_core_tiles;
  double sparse_overhead_s;
  ComputeType simt;
  std::vector<GpuType> types;  // ascending in bits
};

// One way to compute a product: arithmetic type, share of its peak, shortest time of a step of the main loop.
struct MatrixKernel {
  ComputeType type;
  double efficiency, step_latency_s, step_k, alignment;
  double overhead_s;
  bool may_split = false;  // the reduction, over thread blocks; a second kernel adds the parts up
  std::span<const Tile> tiles = kTiles;
};

class GpuEstimator final : public OpEstimator {
 public:
  explicit GpuEstimator(const DeviceSpec& device) : capabilities_(device.capabilities), p_(device) {}

  OpEstimate estimate(const OpWorkload& op) const override {
    const OpDemand demand = op_demand(op);
    OpWorkload dense = op;
    dense.sparsity = {};
    const OpBytes bytes = op_bytes(dense, capabilities_);
    if (demand.kernel == KernelClass::kVector) return finish(vector_kernel(op, demand, bytes), bytes, p_.simt);
    const OpEstimate direct = finish(direct_kernel(op, demand, bytes), bytes, p_.simt);
    if (demand.kernel == KernelClass::kDepthwise) return direct;
    OpEstimate best = quickest_product(op, demand, bytes);
    if (op.kind == OpKind::kConv && demand.groups > 1) take_quicker(direct, best);
    if (demand.is_winograd_able) take_quicker(quickest_tile(winograd_demand(demand), bytes, winograd_kernel()), best);
    return best;
  }

 private:
  static void take_quicker(const OpEstimate& candidate, OpEstimate& best) {
    if (best.latency_s < 0 || candidate.latency_s < best.latency_s) best = candidate;
  }

  // The quickest over all types that are wide enough.
  OpEstimate quickest_product(const OpWorkload& op, const OpDemand& demand, const OpBytes& bytes) const {
    const int bits = required_bits(op);
    OpEstimate best{.latency_s = -1};
    for (const GpuType& gpu_type : p_.types) {
      // The last type is 32 bits wide, so there is always one that is wide enough. Attention kernels have no TF32 path.
      if (gpu_type.type.bits < bits || (op.kind == OpKind::kMatMul && gpu_type.is_tensor_core && gpu_type.type.bits == 32)) continue;
      const OpEstimate product = quickest_tile(demand, bytes, matrix_kernel(gpu_type, op.kind));
      take_quicker(product, best);
      if (op.sparsity.is_two_of_four) take_quicker(by_sparse_weights(product, gpu_type.sparse_speedup), best);
    }
    return best;
  }

  // Speed-ups were measured of whole products, so they hold for arithmetic and memory alike; what a product takes longer to start makes
  // small ones quicker by dense kernels, which run the same weights. Energy is taken as that of the dense product.
  OpEstimate by_sparse_weights(OpEstimate product, double speedup) const {
    product.compute_s /= speedup;
    product.memory_s /= speedup;
    product.overhead_s += p_.sparse_overhead_s;
    product.latency_s = std::max(product.compute_s, product.memory_s) + product.overhead_s;
    return product;
  }

  MatrixKernel matrix_kernel(const GpuType& gpu_type, OpKind kind) const {
    const bool is_product = kind == OpKind::kGemm || kind == OpKind::kMatMul;
    MatrixKernel kernel{.type = gpu_type.type,
                        .efficiency = gpu_type.is_tensor_core ? p_.math_efficiency
                                      : is_product            ? p_.product_simt_efficiency
                                                              : p_.simt_efficiency,
                        .step_latency_s = p_.simt_step_latency_s,
                        .step_k = kSimtStepK,
                        .alignment = 1,
                        .overhead_s = is_product ? p_.overhead_s : p_.convolution_overhead_s,
                        .may_split = is_product};
    if (kind == OpKind::kMatMul) kernel.efficiency = p_.attention_efficiency;
    if (!gpu_type.is_tensor_core) return kernel;
    const double element_bytes = gpu_type.type.bits / 8.0;
    kernel.step_latency_s = p_.step_latency_s;
    kernel.step_k = p_.step_bytes / element_bytes;
    kernel.alignment = p_.alignment_bytes / element_bytes;
    kernel.tiles = p_.tensor_core_tiles;
    return kernel;
  }

  MatrixKernel winograd_kernel() const {
    return {.type = p_.simt,
            .efficiency = p_.winograd_efficiency,
            .step_latency_s = p_.simt_step_latency_s,
            .step_k = kSimtStepK,
            .alignment = 1,
            .overhead_s = p_.convolution_overhead_s + kWinogradTransforms * p_.overhead_s};
  }

  static OpDemand winograd_demand(OpDemand demand) {
    demand.m /= kWinogradOutputs;
    demand.groups = kWinogradProducts;
    demand.k /= demand.window;
    demand.window = 1;
    return demand;
  }

  OpEstimate quickest_tile(const OpDemand& demand, const OpBytes& bytes, const MatrixKernel& kernel) const {
    OpEstimate best{.latency_s = -1};
    for (const Tile& tile : kernel.tiles) {
      const double tiles = demand.groups * ceil_div(demand.m, tile.m) * ceil_div(demand.n, tile.n);
      for (const double split : kSplits) {
        // Where no multiprocessor is idle there is none to give a part to.
        if (split > 1 && (!kernel.may_split || tiles >= p_.multiprocessors)) break;
        take_quicker(finish(tiled_product(demand, bytes, kernel, tile, split), bytes, kernel.type), best);
      }
    }
    return best;
  }

  KernelWork tiled_product(const OpDemand& demand, const OpBytes& bytes, const MatrixKernel& kernel, const Tile& tile, double split) const {
    const double n = round_up(demand.n, kernel.alignment);
    const double k = round_up(demand.k / demand.window, kernel.alignment) * demand.window;
    const double step_bytes = kernel.step_k * kernel.type.bits / 8.0;
    const double tiles = demand.groups * ceil_div(demand.m, tile.m) * ceil_div(n, tile.n);
    const double steps = ceil_div(k, split * kernel.step_k);
    const double step_s = std::max({tile.m * tile.n * kernel.step_k / (kernel.type.macs_per_cycle * kernel.efficiency * p_.clock_hz),
                                    (tile.m + tile.n) * step_bytes / p_.shared_bytes_per_s, kernel.step_latency_s});
    KernelWork work;
    work.compute_s = ceil_div(tiles * split, p_.multiprocessors) * (steps * step_s + p_.tile_overhead_s);
    work.overhead_s = kernel.overhead_s + (split > 1 ? p_.overhead_s : 0);
    work.macs = tiles * tile.m * tile.n * split * steps * kernel.step_k;
    work.cache_bytes = tiles * (tile.m + tile.n) * split * steps * step_bytes + bytes.output +
                       (split > 1 ? 2 * split * demand.groups * demand.m * demand.n * kPartialSumBytes : 0);
    return work;
  }

  // Every output by itself, without tiles in shared memory: depthwise and grouped convolution, fp16 twice as quick as fp32. The caches see
  // each byte once.
  KernelWork direct_kernel(const OpWorkload& op, const OpDemand& demand, const OpBytes& bytes) const {
    const double macs_per_cycle = p_.simt.macs_per_cycle * (required_bits(op) <= 16 ? 2 : 1);
    return {.compute_s = demand.macs / (macs_per_cycle * p_.direct_efficiency * p_.clock_hz * p_.multiprocessors),
            .macs = demand.macs,
            .cache_bytes = bytes.input + bytes.output + bytes.weights,
            .overhead_s = p_.overhead_s};
  }

  // Bound by memory, or where every element needs its indices (copies, a number for each channel) or every row a reduction, by those.
  KernelWork vector_kernel(const OpWorkload& op, const OpDemand& demand, const OpBytes& bytes) const {
    KernelWork work{.macs = demand.vector_ops, .cache_bytes = bytes.input + bytes.output + bytes.weights, .overhead_s = p_.overhead_s};
    const auto elements = static_cast<double>(std::max(op.input_elements, op.output_elements));
    const bool has_channel_values = op.kind == OpKind::kElementwise && op.table_elements > 0;
    if (op.kind == OpKind::kDataMovement || has_channel_values) work.compute_s = elements / p_.copied_elements_per_s;
    if (op.kind == OpKind::kPool) work.compute_s = elements / p_.pooled_elements_per_s;
    if (op.kind == OpKind::kReduction) {
      work.compute_s = static_cast<double>(op.batch * op.out_height * op.out_width) / p_.reduced_rows_per_s;
    }
    return work;
  }

  OpEstimate finish(const KernelWork& work, const OpBytes& bytes, const ComputeType& type) const {
    const double dram_bytes = bytes.weights + std::max(0.0, bytes.input + bytes.output - p_.l2_bytes);
    OpEstimate estimate = roofline(work, type, p_.memory, dram_bytes);
    const double busy_s = std::max(estimate.compute_s, estimate.memory_s);
    estimate.latency_s = busy_s + estimate.overhead_s;
    // Issuing instructions costs the same whether a kernel computes or waits for memory.
    estimate.dynamic_j += p_.active_power_w * busy_s;
    return estimate;
  }

  policies::DeviceCapabilities capabilities_;
  GpuParameters p_;
};

}  // namespace

std::unique_ptr<HardwareModel> make_gpu_model(DeviceSpec device) {
  auto estimator = std::make_unique<GpuEstimator>(device);
  return make_additive_model(std::move(device), std::move(estimator));
}

}  // namespace lathe::hwmodels
