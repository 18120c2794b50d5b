// Workloads written by hand, so that the models can be tested without a network.
#pragma once

#include <cstdint>
#include <string>

#include "policies/workload.h"

namespace lathe::hwmodels {

struct ConvShape {
  std::int64_t in = 16, out = 16, size = 32, kernel = 3, stride = 1, groups = 1, batch = 1;
  int weight_bits = 32, activation_bits = 32;
};

inline policies::OpWorkload conv_op(const ConvShape& s, const std::string& name = "conv") {
  const std::int64_t out_size = (s.size + s.stride - 1) / s.stride;
  policies::OpWorkload op;
  op.name = name;
  op.kind = s.groups > 1 && s.groups == s.in ? policies::OpKind::kDepthwiseConv : policies::OpKind::kConv;
  op.batch = s.batch;
  op.in_channels = s.in;
  op.out_channels = s.out;
  op.groups = s.groups;
  op.kernel_height = op.kernel_width = s.kernel;
  op.stride_height = op.stride_width = s.stride;
  op.in_height = op.in_width = s.size;
  op.out_height = op.out_width = out_size;
  op.weight_elements = s.out * (s.in / s.groups) * s.kernel * s.kernel;
  op.macs = s.batch * op.weight_elements * out_size * out_size;
  op.input_elements = s.batch * s.in * s.size * s.size;
  op.output_elements = s.batch * s.out * out_size * out_size;
  op.weight_bits = s.weight_bits;
  op.input_bits = op.output_bits = s.activation_bits;
  return op;
}

inline policies::OpWorkload gemm_op(std::int64_t rows, std::int64_t k, std::int64_t n, int weight_bits = 32, int activation_bits = 32) {
  policies::OpWorkload op;
  op.name = "gemm";
  op.kind = policies::OpKind::kGemm;
  op.batch = rows;
  op.in_channels = k;
  op.out_channels = n;
  op.macs = rows * k * n;
  op.weight_elements = k * n;
  op.input_elements = rows * k;
  op.output_elements = rows * n;
  op.weight_bits = weight_bits;
  op.input_bits = op.output_bits = activation_bits;
  return op;
}

// `elements` of the whole batch.
inline policies::OpWorkload add_op(std::int64_t elements, int activation_bits = 32, std::int64_t batch = 1) {
  policies::OpWorkload op;
  op.batch = batch;
  op.name = "add";
  op.kind = policies::OpKind::kElementwise;
  op.input_elements = 2 * elements;
  op.output_elements = elements;
  op.input_bits = op.output_bits = activation_bits;
  return op;
}

// ResNet-(6 blocks + 2) for 32x32 images (K. He et al. 2016, section 4.2), shortcuts without weights; `width` channels in the first stage.
// Every layer has these bits. Values: each operator's output lives until the next, a block's input until its addition.
inline policies::Workload cifar_resnet(int blocks, std::int64_t width, int weight_bits, int activation_bits, std::int64_t batch = 1) {
  policies::Workload workload;
  const auto add = [&](policies::OpWorkload op) {
    const int index = static_cast<int>(workload.ops.size());
    workload.values.push_back({index - 1, index, op.input_elements, op.input_bits});
    workload.ops.push_back(std::move(op));
  };
  const auto conv = [&](std::int64_t in, std::int64_t out, std::int64_t size, std::int64_t stride) {
    add(conv_op({.in = in,
                 .out = out,
                 .size = size,
                 .stride = stride,
                 .batch = batch,
                 .weight_bits = weight_bits,
                 .activation_bits = activation_bits},
                "conv" + std::to_string(workload.ops.size())));
  };
  conv(3, width, 32, 1);
  std::int64_t channels = width, size = 32;
  for (int stage = 0; stage < 3; ++stage) {
    for (int block = 0; block < blocks; ++block) {
      const std::int64_t stride = stage > 0 && block == 0 ? 2 : 1;
      conv(channels, width << stage, size, stride);
      size /= stride;
      channels = width << stage;
      conv(channels, channels, size, 1);
      policies::OpWorkload sum = add_op(batch * channels * size * size, activation_bits, batch);
      sum.in_channels = sum.out_channels = channels;
      sum.in_height = sum.in_width = sum.out_height = sum.out_width = size;
      add(sum);
    }
  }
  add(gemm_op(batch, channels, 10, weight_bits, activation_bits));
  return workload;
}

}  // namespace lathe::hwmodels
