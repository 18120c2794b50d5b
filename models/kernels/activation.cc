// Activation functions, softmax among them.
#include <ATen/ops/argmax.h>
#include <ATen/ops/celu.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/scatter.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/threshold.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include <optional>

#include "models/kernels/kernel.h"

namespace lathe::models::kernels {
namespace {

template <at::Tensor (*function)(const at::Tensor&)>
Kernel unary(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) { return Tensors{function(inputs[0])}; };
}

at::Tensor softplus(const at::Tensor& x) {
  return at::softplus(x);
}
at::Tensor softsign(const at::Tensor& x) {
  return x / (x.abs() + 1);
}

Kernel leaky_relu(const Network&, const Node& node) {
  const double alpha = float_attribute(node, "alpha", 0.01f);
  return [alpha](const Tensors& inputs, const RunOptions&) { return Tensors{at::leaky_relu(inputs[0], alpha)}; };
}

Kernel elu(const Network&, const Node& node) {
  const double alpha = float_attribute(node, "alpha", 1.0f);
  return [alpha](const Tensors& inputs, const RunOptions&) { return Tensors{at::elu(inputs[0], alpha)}; };
}

Kernel celu(const Network&, const Node& node) {
  const double alpha = float_attribute(node, "alpha", 1.0f);
  return [alpha](const Tensors& inputs, const RunOptions&) { return Tensors{at::celu(inputs[0], alpha)}; };
}

// Defaults: G. Klambauer et al., Self-Normalizing Neural Networks, 2017, as the ONNX specification rounds them.
Kernel selu(const Network&, const Node& node) {
  const double alpha = float_attribute(node, "alpha", 1.67326319217681884765625f);
  const double gamma = float_attribute(node, "gamma", 1.05070102214813232421875f);
  return [=](const Tensors& inputs, const RunOptions&) { return Tensors{at::elu(inputs[0], alpha, gamma)}; };
}

Kernel thresholded_relu(const Network&, const Node& node) {
  const double alpha = float_attribute(node, "alpha", 1.0f);
  return [alpha](const Tensors& inputs, const RunOptions&) { return Tensors{at::threshold(inputs[0], alpha, 0)}; };
}

Kernel hard_sigmoid(const Network&, const Node& node) {
  const double alpha = float_attribute(node, "alpha", 0.2f), beta = float_attribute(node, "beta", 0.5f);
  return [=](const Tensors& inputs, const RunOptions&) { return Tensors{at::clamp(inputs[0] * alpha + beta, 0, 1)}; };
}

Kernel prelu(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) {
    const at::Tensor& x = inputs[0];
    return Tensors{at::where(x.ge(0), x, at::mul(x, inputs[1]))};
  };
}

// Bounds are constants in nearly every network; then the clamp is one pass over memory.
Kernel clip(const Network& network, const Node& node) {
  const bool is_float = network.value(node.inputs[0]).type == DataType::kFloat32;
  Optional<at::Scalar> bounds[2];
  bool is_known = is_float;
  for (std::size_t i = 0; i < 2; ++i) {
    if (node.inputs.size() <= i + 1 || node.inputs[i + 1] == kNoValue) continue;
    const auto found = network.constants.find(node.inputs[i + 1]);
    if (found == network.constants.end() || found->second.size() != 1) {
      is_known = false;
    } else if (is_float) {
      bounds[i] = found->second.to_floats()[0];
    }
  }
  if (is_known) {
    return [low = bounds[0], high = bounds[1]](const Tensors& inputs, const RunOptions&) {
      if (!low && !high) return Tensors{inputs[0]};
      return Tensors{at::clamp(inputs[0], low, high)};
    };
  }
  return [](const Tensors& inputs, const RunOptions&) {
    const auto bound = [&](std::size_t i) { return optional_input(inputs, i); };
    if (!bound(1) && !bound(2)) return Tensors{inputs[0]};
    return Tensors{at::clamp(inputs[0], bound(1), bound(2))};
  };
}

Kernel softmax(const Network&, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", -1);
  return [axis](const Tensors& inputs, const RunOptions&) { return Tensors{at::softmax(inputs[0], axis)}; };
}

Kernel log_softmax(const Network&, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", -1);
  return [axis](const Tensors& inputs, const RunOptions&) { return Tensors{at::log_softmax(inputs[0], axis)}; };
}

// One at the first largest element along the axis, zero elsewhere.
Kernel hardmax(const Network&, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", -1);
  return [axis](const Tensors& inputs, const RunOptions&) {
    const at::Tensor largest = at::argmax(inputs[0], axis, /*keepdim=*/true);
    return Tensors{at::scatter(at::zeros_like(inputs[0]), axis, largest, 1)};
  };
}

}  // namespace

const Table& activation_table() {
  static const Table table{{"Celu", celu},
                           {"Clip", clip},
                           {"Elu", elu},
                           {"HardSigmoid", hard_sigmoid},
                           {"HardSwish", unary<at::hardswish>},
                           {"Hardmax", hardmax},
                           {"LeakyRelu", leaky_relu},
                           {"LogSoftmax", log_softmax},
                           {"PRelu", prelu},
                           {"Relu", unary<at::relu>},
                           {"Selu", selu},
                           {"Sigmoid", unary<at::sigmoid>},
                           {"Softmax", softmax},
                           {"Softplus", unary<softplus>},
                           {"Softsign", unary<softsign>},
                           {"Tanh", unary<at::tanh>},
                           {"ThresholdedRelu", thresholded_relu}};
  return table;
}

}  // namespace lathe::models::kernels
