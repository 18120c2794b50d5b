// Normalizations.
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/instance_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/sum.h>

#include "models/executor.h"
#include "models/kernels/kernel.h"

namespace lathe::models::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

// In training the running statistics (inputs 3 and 4) are updated in place, the variance without bias, as PyTorch does.
Kernel batch_norm(const Network&, const Node& node) {
  const double epsilon = float_attribute(node, "epsilon", 1e-5f);
  return [epsilon](const Tensors& inputs, const RunOptions& options) {
    return Tensors{at::batch_norm(inputs[0], inputs[1], inputs[2], inputs[3], inputs[4], options.batch_statistics,
                                  options.batch_norm_momentum, epsilon, /*cudnn_enabled=*/true)};
  };
}

Kernel instance_norm(const Network&, const Node& node) {
  const double epsilon = float_attribute(node, "epsilon", 1e-5f);
  return [epsilon](const Tensors& inputs, const RunOptions&) {
    return Tensors{
        at::instance_norm(inputs[0], inputs[1], inputs[2], {}, {}, /*use_input_stats=*/true, 0.1, epsilon, /*cudnn_enabled=*/true)};
  };
}

// Outputs: normalized, mean, 1 / standard deviation.
Kernel layer_norm(const Network&, const Node& node) {
  const double epsilon = float_attribute(node, "epsilon", 1e-5f);
  const std::int64_t axis = int_attribute(node, "axis", -1);
  const std::size_t outputs = node.outputs.size();
  return [=](const Tensors& inputs, const RunOptions&) {
    const at::Tensor& x = inputs[0];
    const auto shape = x.sizes().slice(static_cast<std::size_t>(positive_axis(axis, x.dim())));
    const auto bias = has_input(inputs, 2) ? Optional<at::Tensor>(inputs[2].expand(shape)) : Optional<at::Tensor>();
    auto [y, mean, deviation] = at::native_layer_norm(x, shape, inputs[1].expand(shape), bias, epsilon);
    Tensors all{y, mean, deviation};
    all.resize(outputs);
    return all;
  };
}

// y = x / (bias + alpha / size * sum of squares over `size` neighbouring channels)^beta.
// A. Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks, 2012, section 3.3.
Kernel local_response_norm(const Network&, const Node& node) {
  const std::int64_t size = int_attribute(node, "size", 1);
  const double alpha = float_attribute(node, "alpha", 1e-4f), beta = float_attribute(node, "beta", 0.75f),
               bias = float_attribute(node, "bias", 1.0f);
  return [=](const Tensors& inputs, const RunOptions&) {
    const at::Tensor& x = inputs[0];
    Ints padding(static_cast<std::size_t>(2 * (x.dim() - 1)), 0);
    padding[padding.size() - 2] = (size - 1) / 2;
    padding[padding.size() - 1] = size / 2;
    const at::Tensor squares = at::constant_pad_nd(at::pow(x, 2), padding, 0).unfold(1, size, 1).sum(-1);
    return Tensors{x / at::pow(squares * (alpha / static_cast<double>(size)) + bias, beta)};
  };
}

Kernel lp_normalization(const Network&, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", -1), p = int_attribute(node, "p", 2);
  return [=](const Tensors& inputs, const RunOptions&) {
    return Tensors{inputs[0] / at::linalg_vector_norm(inputs[0], p, Ints{axis}, /*keepdim=*/true)};
  };
}

// (x - E x) / (sqrt(E x^2 - (E x)^2) + 1e-9), the function that ONNX defines.
Kernel mean_variance(const Network&, const Node& node) {
  const Ints axes = ints_attribute(node, "axes", {0, 2, 3});
  return [axes](const Tensors& inputs, const RunOptions&) {
    const at::Tensor& x = inputs[0];
    const at::Tensor mean = at::mean(x, axes, /*keepdim=*/true);
    const at::Tensor variance = at::mean(at::pow(x, 2), axes, /*keepdim=*/true) - at::pow(mean, 2);
    return Tensors{(x - mean) / (at::sqrt(variance) + 1e-9)};
  };
}

}  // namespace

const Table& normalization_table() {
  static const Table table{{"BatchNormalization", batch_norm},    {"InstanceNormalization", instance_norm},
                           {"LRN", local_response_norm},          {"LayerNormalization", layer_norm},
                           {"LpNormalization", lp_normalization}, {"MeanVarianceNormalization", mean_variance}};
  return table;
}

}  // namespace lathe::models::kernels
