// What a layer with weights multiplies them by: its input unfolded into rows of one product each.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "models/network.h"

namespace lathe::evaluators::internal {

// A layer y = x W^T + b as a plain matrix product.
struct LinearLayer {
  int node = -1;                  // index into Network::nodes
  models::ValueId input, weight;  // the value that it reads and the constant that holds W
  std::int64_t channels = 0;      // of the input
  std::int64_t window = 1;        // products a channel (kernel height * width)
  bool is_conv = false;
  bool has_outputs_first = false;  // the weight is [outputs, channels * window], else [channels, outputs]
  std::int64_t inputs() const { return channels * window; }
};

// Whether the node is a two-dimensional Conv of one group, a Gemm without scaling, or a MatMul by a constant second operand.
bool as_linear_layer(const models::Network& network, int node, LinearLayer& layer);

// Indices of the unfolded inputs of some channels, `window` for each: [channels * window], long.
at::Tensor unfolded_indices(const std::vector<std::int64_t>& channels, std::int64_t window);

// x: the layer's input, [n, channels, height, width] for a convolution, else [..., channels] -> [samples, inputs()], float. Of a feature
// map about `positions` output positions a row are taken, on a regular grid.
at::Tensor unfolded_input(const models::Network& network, const LinearLayer& layer, const at::Tensor& x, std::int64_t positions);

// The same rows with the inputs of one window position after the other, [samples, window * channels]: of images in channels_last this is a
// copy of whole runs, several times as fast.
at::Tensor unfolded_windows(const models::Network& network, const LinearLayer& layer, const at::Tensor& x, std::int64_t positions);
// A matrix over unfolded inputs, [..., channels * window], in that order, and back.
at::Tensor by_window(const LinearLayer& layer, const at::Tensor& matrix);
at::Tensor by_channel(const LinearLayer& layer, const at::Tensor& matrix);

// y: a value of the shape of the layer's output -> [samples, outputs], the rows that belong to those of unfolded_input().
at::Tensor sampled_output(const LinearLayer& layer, const at::Tensor& y, std::int64_t positions);

// The weight as [outputs, inputs()], double, and back into the constant's own shape and type.
at::Tensor weight_matrix(const models::Network& network, const LinearLayer& layer);
models::Tensor as_weight(const models::Network& network, const LinearLayer& layer, const at::Tensor& matrix);

}  // namespace lathe::evaluators::internal
