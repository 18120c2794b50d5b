// Typed views of the attributes of operators that several layers look at, with defaults filled in and auto_pad resolved.
#pragma once

#include <cstdint>
#include <vector>

#include "models/network.h"

namespace lathe::models {

// Conv and ConvTranspose. Weights: Conv [out, in / group, k...]; ConvTranspose [in, out / group, k...].
struct ConvAttributes {
  std::vector<std::int64_t> kernel, strides, dilations;
  std::vector<std::int64_t> pads;            // begins, then ends
  std::vector<std::int64_t> output_padding;  // ConvTranspose
  std::int64_t group = 1;
};
ConvAttributes conv_attributes(const Network& network, const Node& node);

// MaxPool, AveragePool and LpPool.
struct PoolAttributes {
  std::vector<std::int64_t> kernel, strides, dilations;
  std::vector<std::int64_t> pads;  // begins, then ends
  bool ceil_mode = false;
  bool count_include_pad = false;  // AveragePool: whether padding counts in the divisor
};
PoolAttributes pool_attributes(const Network& network, const Node& node);

// Y = alpha * A' * B' + beta * C
struct GemmAttributes {
  float alpha = 1, beta = 1;
  bool transpose_a = false, transpose_b = false;
};
GemmAttributes gemm_attributes(const Node& node);

// Operators whose weights Lathe compresses: Conv, ConvTranspose, and Gemm or MatMul with a constant second operand (MatMul also a
// constant first), of two dimensions or more. `weight_input` is the operand that is the weight, -1 for any other node.
int weight_input(const Network& network, const Node& node);
// The operand that is a table of embeddings, 0 for a Gather of rows of a constant float matrix, else -1.
int table_input(const Network& network, const Node& node);
// What the node holds that can be stored at fewer bits: a layer's weight or a table; -1 where it holds neither.
int stored_input(const Network& network, const Node& node);
// The axis of the weight that holds the layer's output channels (for a grouped ConvTranspose axis 1 holds out / group).
int output_channel_axis(const Network& network, const Node& node);

// The float constants that training learns, ascending: weights, biases, tables, and the affine parameters of normalizations. Not running
// statistics, quantization scales, bounds, exponents, single numbers that an exporter wrote as a tensor (an epsilon), or attention masks
// (recognized by an element of magnitude 10^4 or more, infinity included).
std::vector<ValueId> trainable_constants(const Network& network);

}  // namespace lathe::models
