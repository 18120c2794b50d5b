// What an operator asks of any device: the matrix product that it amounts to, the element operations, the bytes that it must move. The
// models differ in how long this takes them.
#pragma once

#include <vector>

#include "hwmodels/hardware_model.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

enum class KernelClass {
  kMatrix,     // convolution, transposed convolution, Gemm, MatMul: `groups` products of [m x k] by [k x n]
  kDepthwise,  // one input channel an output channel: no reuse over channels
  kVector,     // pooling, element-wise, reductions, data movement: `vector_ops` over elements
};

struct OpDemand {
  KernelClass kernel = KernelClass::kVector;
  double groups = 1, m = 0, n = 0, k = 0;
  double macs = 0;
  double vector_ops = 0;
  // Taps of the kernel window and how often each input element is copied by an explicit im2col (1 for 1x1).
  double window = 1, expansion = 1;
  bool is_winograd_able = false;  // 3x3 with stride 1
};

OpDemand op_demand(const policies::OpWorkload& op);

// The smallest of the ascending `widths` that holds `bits`; the widest where none does (a device that only knows integers charges wider
// layers as its widest integer: its tool chain quantizes them).
int width_on_device(int bits, const std::vector<int>& widths);

// Whether the device skips the operator's zero weights: products only, which is where libraries offer 2:4 (cuSPARSELt).
bool runs_sparse(const policies::OpWorkload& op, const policies::DeviceCapabilities& capabilities);
// Of all its weights as the device stores them: at its widths, and of 2:4 where it runs that the kept ones with two bits of position each
// (A. Mishra et al., Accelerating Sparse Deep Neural Networks, 2021, section 3.1).
std::int64_t stored_weight_bits(const policies::OpWorkload& op, const policies::DeviceCapabilities& capabilities);

// The operator at the widths that the device stores. Models see nothing else, so that two policies whose widths the device stores alike
// cost the same to the last bit, and tables need no entry for each.
policies::OpWorkload at_device_widths(policies::OpWorkload op, const policies::DeviceCapabilities& capabilities);

// Bytes that one pass over the operator moves, activations at the widths that the device stores. weights: at `weight_bits`, any width
// that the device packs.
struct OpBytes {
  double input = 0, output = 0, weights = 0;
};
OpBytes op_bytes(const policies::OpWorkload& op, const policies::DeviceCapabilities& capabilities);

// The width that arithmetic must have: that of the wider operand (accumulators are wider still and free).
int required_bits(const policies::OpWorkload& op);

// An arithmetic type of a device.
struct ComputeType {
  int bits;
  double macs_per_cycle;  // of one core or multiprocessor
  double pj_per_mac;
};

// Whether `type` may execute an operator of `bits`: wide enough, or the widest there is. `types` ascend in bits.
inline bool may_execute(const ComputeType& type, int bits, const std::vector<ComputeType>& types) {
  return type.bits >= bits || type.bits == types.back().bits;
}

inline double ceil_div(double a, double b) {
  const double quotient = static_cast<double>(static_cast<long long>(a / b));
  return quotient * b < a ? quotient + 1 : quotient;
}
inline double round_up(double a, double granule) {
  return ceil_div(a, granule) * granule;
}

}  // namespace lathe::hwmodels
