#include "evaluators/internal/layer_inputs.h"

#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/im2col.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>

#include "models/executor.h"
#include "models/operators.h"

namespace lathe::evaluators::internal {
namespace {

using models::Network;
using models::Node;

bool is_plain_gemm(const Node& node) {
  const models::GemmAttributes attributes = models::gemm_attributes(node);
  return attributes.alpha == 1 && attributes.beta == 1 && !attributes.transpose_a;
}

const Node& node_of(const Network& network, const LinearLayer& layer) {
  return network.nodes[static_cast<std::size_t>(layer.node)];
}

// Output positions between two that are taken, along height and along width, where there are `height` * `width` of them.
std::int64_t grid_step(std::int64_t height, std::int64_t width, std::int64_t positions) {
  const double share = static_cast<double>(height * width) / static_cast<double>(positions);
  return std::max<std::int64_t>(1, std::llround(std::sqrt(share)));
}

// Where a convolution's windows lie whose outputs are taken.
struct Windows {
  models::ConvAttributes conv;
  at::Tensor padded;                  // [n, channels, height, width]
  std::vector<std::int64_t> strides;  // from one window to the next, along height and along width
  std::vector<std::int64_t> counts;   // of windows
};

Windows windows_of(const Network& network, const LinearLayer& layer, const at::Tensor& x, std::int64_t positions) {
  Windows windows{.conv = models::conv_attributes(network, node_of(network, layer))};
  const models::ConvAttributes& conv = windows.conv;
  windows.padded = at::constant_pad_nd(x, {conv.pads[1], conv.pads[3], conv.pads[0], conv.pads[2]}, 0);
  const auto outputs = [&](std::size_t axis) {
    const std::int64_t reach = conv.dilations[axis] * (conv.kernel[axis] - 1) + 1;
    return (windows.padded.size(static_cast<std::int64_t>(axis) + 2) - reach) / conv.strides[axis] + 1;
  };
  const std::int64_t step = grid_step(outputs(0), outputs(1), positions);
  for (const std::size_t axis : {0, 1}) {
    windows.strides.push_back(conv.strides[axis] * step);
    windows.counts.push_back((outputs(axis) + step - 1) / step);
  }
  return windows;
}

}  // namespace

bool as_linear_layer(const Network& network, int index, LinearLayer& layer) {
  const Node& node = network.nodes[static_cast<std::size_t>(index)];
  if (models::weight_input(network, node) != 1) return false;
  const models::Shape& shape = network.value(node.inputs[1]).shape;
  layer = {.node = index, .input = node.inputs[0], .weight = node.inputs[1]};
  if (node.op == "Conv") {
    if (shape.size() != 4 || models::conv_attributes(network, node).group != 1) return false;
    layer.is_conv = layer.has_outputs_first = true;
    layer.channels = shape[1];
    layer.window = shape[2] * shape[3];
    return true;
  }
  if (shape.size() != 2 || (node.op != "MatMul" && !(node.op == "Gemm" && is_plain_gemm(node)))) return false;
  layer.has_outputs_first = node.op == "Gemm" && models::gemm_attributes(node).transpose_b;
  layer.channels = shape[layer.has_outputs_first ? 1 : 0];
  return true;
}

at::Tensor unfolded_indices(const std::vector<std::int64_t>& channels, std::int64_t window) {
  std::vector<std::int64_t> indices;
  indices.reserve(channels.size() * static_cast<std::size_t>(window));
  for (const std::int64_t channel : channels) {
    for (std::int64_t k = 0; k < window; ++k) indices.push_back(channel * window + k);
  }
  return at::tensor(indices, at::kLong);
}

at::Tensor unfolded_input(const Network& network, const LinearLayer& layer, const at::Tensor& x, std::int64_t positions) {
  if (!layer.is_conv) return x.reshape({-1, layer.channels});
  const Windows windows = windows_of(network, layer, x.contiguous(), positions);
  const at::Tensor columns = at::im2col(windows.padded, windows.conv.kernel, windows.conv.dilations, {0, 0}, windows.strides);
  return columns.transpose(1, 2).reshape({-1, layer.inputs()});
}

at::Tensor unfolded_windows(const Network& network, const LinearLayer& layer, const at::Tensor& x, std::int64_t positions) {
  if (!layer.is_conv) return x.reshape({-1, layer.channels});
  const Windows windows = windows_of(network, layer, x, positions);
  const models::ConvAttributes& conv = windows.conv;
  const at::Tensor padded = windows.padded.permute({0, 2, 3, 1}).contiguous();
  const std::int64_t row = padded.stride(1), column = padded.stride(2);
  return padded
      .as_strided(
          {padded.size(0), windows.counts[0], windows.counts[1], conv.kernel[0], conv.kernel[1], layer.channels},
          {padded.stride(0), windows.strides[0] * row, windows.strides[1] * column, conv.dilations[0] * row, conv.dilations[1] * column, 1})
      .reshape({-1, layer.inputs()});
}

at::Tensor by_window(const LinearLayer& layer, const at::Tensor& matrix) {
  return matrix.unflatten(-1, {layer.channels, layer.window}).transpose(-1, -2).flatten(-2);
}

at::Tensor by_channel(const LinearLayer& layer, const at::Tensor& matrix) {
  return matrix.unflatten(-1, {layer.window, layer.channels}).transpose(-1, -2).flatten(-2);
}

at::Tensor sampled_output(const LinearLayer& layer, const at::Tensor& y, std::int64_t positions) {
  if (!layer.is_conv) return y.reshape({-1, y.size(-1)});
  const std::int64_t step = grid_step(y.size(2), y.size(3), positions);
  const at::Tensor sampled = y.slice(2, 0, y.size(2), step).slice(3, 0, y.size(3), step);
  return sampled.permute({0, 2, 3, 1}).reshape({-1, y.size(1)});
}

at::Tensor weight_matrix(const Network& network, const LinearLayer& layer) {
  const at::Tensor weight = models::to_torch(network.constants.at(layer.weight)).to(at::kDouble);
  return layer.has_outputs_first ? weight.reshape({weight.size(0), -1}) : weight.t().contiguous();
}

models::Tensor as_weight(const Network& network, const LinearLayer& layer, const at::Tensor& matrix) {
  const at::Tensor oriented = layer.has_outputs_first ? matrix : matrix.t();
  return models::from_torch(oriented.to(at::kFloat).contiguous().reshape(network.value(layer.weight).shape));
}

}  // namespace lathe::evaluators::internal
