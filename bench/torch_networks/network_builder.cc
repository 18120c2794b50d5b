#include "bench/torch_networks/network_builder.h"

#include <algorithm>
#include <cmath>

namespace lathe::torch_networks {

using policies::OpKind;
using policies::OpWorkload;

std::int64_t NetworkBuilder::scaled(std::int64_t channels) const {
  return setting_.width == 1 ? channels : static_cast<std::int64_t>(std::lround(static_cast<double>(channels) * setting_.width / 8)) * 8;
}

OpWorkload NetworkBuilder::base(const char* name, OpKind kind, const ValueShape& in, const ValueShape& out) const {
  OpWorkload op;
  op.node = static_cast<int>(workload_.ops.size());
  op.name = name + std::to_string(op.node);
  op.kind = kind;
  op.batch = setting_.batch;
  op.in_channels = in.channels;
  op.out_channels = out.channels;
  op.in_height = in.height;
  op.in_width = in.width;
  op.out_height = out.height;
  op.out_width = out.width;
  op.input_elements = elements(in);
  op.output_elements = elements(out);
  op.weight_bits = op.input_bits = op.output_bits = setting_.bits;
  return op;
}

void NetworkBuilder::conv(const Convolution& c) {
  const std::int64_t padding = c.padding.value_or((c.kernel - 1) / 2);
  const auto extent = [&](std::int64_t size) { return (size + 2 * padding - c.kernel) / c.stride + 1; };
  const ValueShape out{c.out, extent(shape_.height), extent(shape_.width)};
  const bool is_depthwise = c.groups > 1 && c.groups == shape_.channels;
  OpWorkload op = base("conv", is_depthwise ? OpKind::kDepthwiseConv : OpKind::kConv, shape_, out);
  op.groups = c.groups;
  op.kernel_height = op.kernel_width = c.kernel;
  op.stride_height = op.stride_width = c.stride;
  op.weight_elements = c.out * (shape_.channels / c.groups) * c.kernel * c.kernel;
  op.macs = setting_.batch * op.weight_elements * out.height * out.width;
  parameters_ += op.weight_elements + (c.has_bias ? c.out : 0);
  workload_.ops.push_back(std::move(op));
  shape_ = out;
  // cuDNN's convolution has no bias in PyTorch; it is added by a kernel of its own.
  if (c.has_bias) pointwise({.values_a_channel = 1});
}

void NetworkBuilder::batch_norm() {
  parameters_ += 2 * shape_.channels;
  // Before it normalizes, PyTorch computes 1 / sqrt(variance + epsilon) by two kernels over the channels alone.
  for (int kernel = 0; kernel < 2; ++kernel) {
    OpWorkload op = base("inverse_deviation", OpKind::kElementwise, {shape_.channels, 1, 1}, {shape_.channels, 1, 1});
    op.batch = 1;
    op.input_elements = op.output_elements = shape_.channels;
    op.is_fused = setting_.is_fused;
    workload_.ops.push_back(std::move(op));
  }
  pointwise({.values_a_channel = 4});
}

void NetworkBuilder::conv_block(const Convolution& convolution, bool has_activation) {
  conv(convolution);
  batch_norm();
  if (has_activation) activation();
}

void NetworkBuilder::pointwise(const Pointwise& operation) {
  OpWorkload op = base("pointwise", OpKind::kElementwise, shape_, shape_);
  op.input_elements *= operation.inputs;
  op.table_elements = operation.values_a_channel * shape_.channels;
  op.is_fused = setting_.is_fused;
  workload_.ops.push_back(std::move(op));
}

void NetworkBuilder::movement(std::int64_t elements) {
  OpWorkload op = base("movement", OpKind::kDataMovement, shape_, shape_);
  op.input_elements = op.output_elements = elements;
  workload_.ops.push_back(std::move(op));
}

void NetworkBuilder::concat(std::int64_t channels) {
  shape_.channels = channels;
  movement(elements(shape_));
}

void NetworkBuilder::pool(std::int64_t kernel, std::int64_t stride, std::int64_t padding, bool ceil_mode) {
  const auto extent = [&](std::int64_t size) { return (size + 2 * padding - kernel + (ceil_mode ? stride - 1 : 0)) / stride + 1; };
  const ValueShape out{shape_.channels, extent(shape_.height), extent(shape_.width)};
  OpWorkload op = base("pool", OpKind::kPool, shape_, out);
  op.kernel_height = op.kernel_width = kernel;
  op.stride_height = op.stride_width = stride;
  workload_.ops.push_back(std::move(op));
  shape_ = out;
}

void NetworkBuilder::global_pool() {
  const ValueShape out{shape_.channels, 1, 1};
  workload_.ops.push_back(base("mean", OpKind::kReduction, shape_, out));
  shape_ = out;
}

void NetworkBuilder::layer_norm() {
  parameters_ += 2 * shape_.channels;
  workload_.ops.push_back(base("layer_norm", OpKind::kReduction, shape_, shape_));
}

void NetworkBuilder::linear(std::int64_t out_features, bool has_bias) {
  const ValueShape out{out_features, shape_.height, shape_.width};
  OpWorkload op = base("linear", OpKind::kGemm, shape_, out);
  op.weight_elements = shape_.channels * out_features;
  op.macs = elements(shape_) * out_features;
  parameters_ += op.weight_elements + (has_bias ? out_features : 0);  // cuBLAS adds the bias in the kernel
  workload_.ops.push_back(std::move(op));
  shape_ = out;
}

void NetworkBuilder::attention(std::int64_t heads, std::int64_t head_channels) {
  const std::int64_t tokens = shape_.height;
  const ValueShape out{heads * head_channels, tokens, 1};
  OpWorkload op = base("attention", OpKind::kMatMul, shape_, out);
  // Scores and weighted values as one product, tokens x depth x 2 tokens: the scores never leave the chip (T. Dao et al.,
  // FlashAttention, NeurIPS 2022).
  op.groups = heads;
  op.in_channels = heads * head_channels;
  op.out_channels = heads * 2 * tokens;
  op.macs = setting_.batch * heads * tokens * head_channels * 2 * tokens;
  workload_.ops.push_back(std::move(op));
  shape_ = out;
}

void NetworkBuilder::squeeze_excite(std::int64_t reduced_channels) {
  const ValueShape at = shape_;
  global_pool();
  conv({.out = reduced_channels, .has_bias = true});
  activation();
  conv({.out = at.channels, .has_bias = true});
  activation();
  set_shape(at);
  scale_channels();
}

}  // namespace lathe::torch_networks
