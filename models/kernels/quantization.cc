// Quantize, dequantize, and their simulation with straight-through gradients (R. Krishnamoorthi, 2018, section 2.4: the gradient
// passes where the value lies inside the range and is zero outside; LibTorch's operators do this).
#include <ATen/core/grad_mode.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/fake_quantize_per_channel_affine.h>
#include <ATen/ops/fake_quantize_per_tensor_affine.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/round.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "models/base/check.h"
#include "models/kernels/kernel.h"
#include "models/kernels/learned_quantization.h"
#include "models/learned_scales.h"

namespace lathe::models::kernels {
namespace {

// y = saturate(round_half_even(x / scale) + zero_point); without a zero point the type is uint8.
Kernel quantize(const Network& network, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", 1);
  const DataType type = network.value(node.outputs[0]).type;
  if (type != DataType::kInt8 && type != DataType::kUint8) throw_unsupported(node, std::string("type ") + to_string(type));
  const bool is_signed = type == DataType::kInt8;
  return [=](const Tensors& inputs, const RunOptions&) {
    const at::Tensor& x = inputs[0];
    at::Tensor y = at::round(x / along_axis(inputs[1], x, axis));
    if (has_input(inputs, 2)) y = y + along_axis(inputs[2], x, axis).to(at::kFloat);
    y = at::clamp(y, is_signed ? -128 : 0, is_signed ? 127 : 255);
    return Tensors{y.to(is_signed ? at::kChar : at::kByte)};
  };
}

// y = (x - zero_point) * scale
Kernel dequantize(const Network&, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", 1);
  return [axis](const Tensors& inputs, const RunOptions&) {
    at::Tensor x = inputs[0].to(at::kFloat);
    if (has_input(inputs, 2)) x = x - along_axis(inputs[2], x, axis).to(at::kFloat);
    return Tensors{x * along_axis(inputs[1], x, axis)};
  };
}

constexpr std::int64_t kByteLevels = 255;

struct DynamicLevels {
  at::Tensor levels, scale, zero_point;  // all of x's type; levels: from 0 to 255
};

// In the range of x widened to hold 0. Where all of x is zero any scale does; 1 keeps it finite.
DynamicLevels dynamic_levels(const at::Tensor& x) {
  const at::Tensor zero = at::zeros({}, x.options());
  const at::Tensor low = at::minimum(x.min(), zero), high = at::maximum(x.max(), zero);
  const at::Tensor width = (high - low) / kByteLevels;
  const at::Tensor scale = at::where(width == 0, at::ones_like(width), width);
  const at::Tensor zero_point = at::clamp(at::round(-low / scale), 0, kByteLevels);
  return {at::clamp(at::round(x / scale) + zero_point, 0, kByteLevels), scale, zero_point};
}

// Outputs y, scale, zero point.
Kernel dynamic_quantize(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) {
    const auto [levels, scale, zero_point] = dynamic_levels(inputs[0]);
    return Tensors{levels.to(at::kByte), scale, zero_point.to(at::kByte)};
  };
}

// The same numbers as LibTorch's operators (which multiply by 1 / scale too), without their mask for the gradient: about ten times as
// fast, which matters since a search spends its time here. zero_point moves to the bounds, so one temporary is all it takes. Where it is
// one constant, `shared_zero` says so: nothing is read back from a GPU while it runs.
at::Tensor simulate_quantization(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& zero_point,
                                 std::optional<double> shared_zero, double low, double high) {
  at::Tensor y = at::mul(x, at::reciprocal(scale)).round_();
  if (shared_zero) {
    y.clamp_(low - *shared_zero, high - *shared_zero);
  } else {
    y.clamp_(Optional<at::Tensor>(low - zero_point), Optional<at::Tensor>(high - zero_point));
  }
  return y.mul_(scale);
}

// The zero point of a tensor that has one, where it is known before the network runs.
std::optional<double> constant_zero_point(const Network& network, const Node& node) {
  const auto constant = network.constants.find(node.inputs[2]);
  if (constant == network.constants.end() || constant->second.shape().size() != 0) return std::nullopt;
  return static_cast<double>(constant->second.to_int64s().at(0));
}

// Zero points are constants that all channels share, so that nothing is read back from a GPU while it runs. Where an offset is learned, it
// says where zero lies.
Kernel learned_fake_quantize_kernel(const Network& network, const Node& node) {
  const std::vector<std::int64_t> zero_points = network.constants.at(node.inputs[2]).to_int64s();
  const bool has_offset = node.inputs.size() > 3;
  const std::int64_t zero = has_offset ? 0 : zero_points.at(0);
  LATHE_CHECK(has_offset || std::all_of(zero_points.begin(), zero_points.end(), [zero](std::int64_t other) { return other == zero; }))
      << node.name;
  const LearnedQuantization options{
      .rule = string_attribute(node, "scale_gradient", "") == "pact" ? ScaleGradient::kPact : ScaleGradient::kLsq,
      .low = static_cast<double>(int_attribute(node, "quant_min", 0) - zero),
      .high = static_cast<double>(int_attribute(node, "quant_max", 255) - zero),
      .gradient_scale = float_attribute(node, "gradient_scale", 1.0F),
      .axis = int_attribute(node, "axis", -1)};
  return [options](const Tensors& inputs, const RunOptions&) {
    return Tensors{learned_fake_quantize(inputs[0], inputs[1], inputs.size() > 3 ? inputs[3] : at::Tensor(), options)};
  };
}

Kernel fake_quantize(const Network& network, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", -1);
  const std::int64_t low = int_attribute(node, "quant_min", 0), high = int_attribute(node, "quant_max", 255);
  if (learns_scale(node)) return learned_fake_quantize_kernel(network, node);
  const std::optional<double> zero = constant_zero_point(network, node);
  return [=](const Tensors& inputs, const RunOptions&) {
    const at::Tensor& x = inputs[0];
    const at::Tensor& scale = inputs[1];
    const at::Tensor& zero_point = inputs[2];
    if (!at::GradMode::is_enabled()) {
      return Tensors{simulate_quantization(x, along_axis(scale, x, axis), along_axis(zero_point, x, axis), zero, low, high)};
    }
    if (axis >= 0) return Tensors{at::fake_quantize_per_channel_affine(x, scale, zero_point, axis, low, high)};
    return Tensors{at::fake_quantize_per_tensor_affine(x, scale.reshape({1}), zero_point.reshape({1}), low, high)};
  };
}

// The range is taken as given by training: gradients pass to x as they do through a fixed one, here everywhere, since nothing is clipped.
Kernel dynamic_fake_quantize(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) {
    const at::Tensor& x = inputs[0];
    const auto [levels, scale, zero_point] = dynamic_levels(x.detach());
    const at::Tensor y = (levels - zero_point) * scale;
    return Tensors{at::GradMode::is_enabled() ? x + (y - x.detach()) : y};
  };
}

}  // namespace

const Table& quantization_table() {
  static const Table table{{"DequantizeLinear", dequantize},
                           {"DynamicQuantizeLinear", dynamic_quantize},
                           {"QuantizeLinear", quantize},
                           {"lathe.DynamicFakeQuantize", dynamic_fake_quantize},
                           {"lathe.FakeQuantize", fake_quantize}};
  return table;
}

}  // namespace lathe::models::kernels
