#include "hwmodels/op_demand.h"

#include <algorithm>

namespace lathe::hwmodels {
namespace {

using policies::OpKind;
using policies::OpWorkload;

double at_least_one(std::int64_t n) {
  return static_cast<double>(std::max<std::int64_t>(n, 1));
}

void fill_convolution(const OpWorkload& op, OpDemand& demand) {
  demand.groups = at_least_one(op.groups);
  demand.window = at_least_one(op.kernel_height) * at_least_one(op.kernel_width);
  demand.m = static_cast<double>(op.batch * op.out_height * op.out_width);
  demand.n = static_cast<double>(op.out_channels) / demand.groups;
  demand.k = static_cast<double>(op.in_channels) / demand.groups * demand.window;
  const double stride_area = at_least_one(op.stride_height) * at_least_one(op.stride_width);
  demand.expansion = demand.window > 1 ? std::max(1.0, demand.window / stride_area) : 1.0;
  demand.is_winograd_able =
      op.kernel_height == 3 && op.kernel_width == 3 && op.stride_height == 1 && op.stride_width == 1 && op.groups == 1;
}

// Each input pixel makes a window of outputs: [pixels x in] by [in x out * window], then overlapping windows are added up.
void fill_transposed(const OpWorkload& op, OpDemand& demand) {
  fill_convolution(op, demand);
  demand.m = static_cast<double>(op.batch * op.in_height * op.in_width);
  demand.n = static_cast<double>(op.out_channels) / demand.groups * demand.window;
  demand.k = static_cast<double>(op.in_channels) / demand.groups;
  demand.expansion = 1;
  demand.is_winograd_able = false;
}

// A product of two activations has `groups` pairs of matrices (attention heads) for each sample; with weights all samples share the second
// matrix.
void fill_product(const OpWorkload& op, OpDemand& demand) {
  const double stack = at_least_one(op.groups), batch = at_least_one(op.batch);
  const double rows = at_least_one(op.out_height) * at_least_one(op.out_width);
  const bool has_weights = op.weight_elements > 0;
  demand.groups = has_weights ? stack : stack * batch;
  demand.m = has_weights ? rows * batch : rows;
  demand.n = static_cast<double>(op.out_channels) / stack;
  demand.k = static_cast<double>(op.in_channels) / stack;
}

}  // namespace

OpDemand op_demand(const OpWorkload& op) {
  OpDemand demand;
  demand.macs = static_cast<double>(op.macs);
  switch (op.kind) {
    case OpKind::kConv:
      demand.kernel = KernelClass::kMatrix;
      fill_convolution(op, demand);
      break;
    case OpKind::kDepthwiseConv:
      demand.kernel = KernelClass::kDepthwise;
      fill_convolution(op, demand);
      break;
    case OpKind::kConvTranspose:
      demand.kernel = KernelClass::kMatrix;
      fill_transposed(op, demand);
      break;
    case OpKind::kGemm:
    case OpKind::kMatMul:
      demand.kernel = KernelClass::kMatrix;
      fill_product(op, demand);
      break;
    case OpKind::kPool: {
      const double window = at_least_one(op.kernel_height) * at_least_one(op.kernel_width);
      demand.vector_ops = std::max(static_cast<double>(op.output_elements) * window, static_cast<double>(op.input_elements));
      break;
    }
    case OpKind::kElementwise:
    case OpKind::kReduction:
    case OpKind::kDataMovement:
      demand.vector_ops = static_cast<double>(std::max(op.input_elements, op.output_elements));
      break;
  }
  return demand;
}

int width_on_device(int bits, const std::vector<int>& widths) {
  const auto found = std::lower_bound(widths.begin(), widths.end(), bits);
  return found == widths.end() ? widths.back() : *found;
}

bool runs_sparse(const OpWorkload& op, const policies::DeviceCapabilities& capabilities) {
  return op.kind == OpKind::kGemm && op.sparsity.is_two_of_four && capabilities.runs_two_of_four;
}

std::int64_t stored_weight_bits(const OpWorkload& op, const policies::DeviceCapabilities& capabilities) {
  const int width = width_on_device(op.weight_bits, capabilities.weight_bits);
  constexpr int kPositionBits = 2;
  return runs_sparse(op, capabilities) ? policies::kept_weights(op) * (width + kPositionBits) : op.weight_elements * width;
}

OpWorkload at_device_widths(OpWorkload op, const policies::DeviceCapabilities& capabilities) {
  op.weight_bits = width_on_device(op.weight_bits, capabilities.weight_bits);
  op.input_bits = width_on_device(op.input_bits, capabilities.activation_bits);
  op.output_bits = width_on_device(op.output_bits, capabilities.activation_bits);
  if (!runs_sparse(op, capabilities)) op.sparsity = {};
  return op;
}

OpBytes op_bytes(const OpWorkload& op, const policies::DeviceCapabilities& capabilities) {
  constexpr double kBitsPerByte = 8;
  return {.input = static_cast<double>(op.input_elements) * width_on_device(op.input_bits, capabilities.activation_bits) / kBitsPerByte,
          .output = static_cast<double>(op.output_elements) * width_on_device(op.output_bits, capabilities.activation_bits) / kBitsPerByte,
          .weights = static_cast<double>(stored_weight_bits(op, capabilities)) / kBitsPerByte};
}

int required_bits(const OpWorkload& op) {
  return op.weight_elements > 0 ? std::max(op.weight_bits, op.input_bits) : op.input_bits;
}

}  // namespace lathe::hwmodels
