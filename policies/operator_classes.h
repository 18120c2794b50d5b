// What kind of work an ONNX operator is, as far as fusion, hardware models and quantization care.
#pragma once

#include "models/network.h"

namespace lathe::policies {

// Only the shape changes, not one byte: Reshape, Flatten, Squeeze, Unsqueeze, Identity.
bool is_view(const models::Node& node);
// Each output element depends on one element of each input: activations, arithmetic, BatchNormalization, casts, quantization.
bool is_pointwise(const models::Node& node);
// MaxPool, AveragePool, GlobalAveragePool, ...
bool is_pool(const models::Node& node);
// Reduce*, Softmax, normalizations over an axis.
bool is_reduction(const models::Node& node);
// Sums of products: Conv, ConvTranspose, Gemm, MatMul.
bool is_product(const models::Node& node);
// Each output element is a copy of an input element of input 0 (or zero), so that it commutes with quantization: views, Transpose, Slice,
// Pad with zeros, MaxPool, Split, DepthToSpace, ...
bool copies_elements(const models::Network& network, const models::Node& node);

// For each value whether it is the same for every input of the network: constants and what is computed from them alone.
std::vector<bool> static_values(const models::Network& network);
// The inputs of a node that are not static, each once, in order.
std::vector<models::ValueId> computed_inputs(const models::Node& node, const std::vector<bool>& is_static);

}  // namespace lathe::policies
