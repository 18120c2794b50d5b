// Resize as one small linear map an axis: each output position is a weighted sum of input positions, so every combination of modes
// is the same code, and gradients come with it. The formulas are those of the ONNX specification; positions are computed in float32
// as ONNX Runtime does, so that ties fall alike.
#include <ATen/ops/index_select.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "models/kernels/kernel.h"

namespace lathe::models::kernels {
namespace {

struct Axis {
  std::int64_t in = 1, out = 1;
  float scale = 1;
  float roi_begin = 0, roi_end = 1;  // tf_crop_and_resize
};

struct Options {
  std::string mode, coordinates, nearest;
  float cubic = -0.75f;  // R. Keys' parameter a
  bool exclude_outside = false;
  float extrapolation = 0;
};

float original_position(const Options& o, const Axis& axis, std::int64_t position) {
  const auto x = static_cast<float>(position);
  const auto in = static_cast<float>(axis.in), out = static_cast<float>(axis.out);
  if (o.coordinates == "asymmetric") return x / axis.scale;
  if (o.coordinates == "pytorch_half_pixel" && axis.out <= 1) return 0;
  if (o.coordinates == "align_corners") return axis.out == 1 ? 0 : x * (in - 1) / (out - 1);
  if (o.coordinates == "tf_half_pixel_for_nn") return (x + 0.5f) / axis.scale;
  if (o.coordinates == "tf_crop_and_resize") {
    if (axis.out > 1) return axis.roi_begin * (in - 1) + x * (axis.roi_end - axis.roi_begin) * (in - 1) / (out - 1);
    return 0.5f * (axis.roi_begin + axis.roi_end) * (in - 1);
  }
  return (x + 0.5f) / axis.scale - 0.5f;  // half_pixel
}

std::int64_t nearest_index(const Options& o, float position, std::int64_t extent) {
  float index = std::floor(position);
  if (o.nearest == "ceil") index = std::ceil(position);
  if (o.nearest == "round_prefer_ceil") index = std::floor(position + 0.5f);
  if (o.nearest == "round_prefer_floor") index = std::ceil(position - 0.5f);
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(index), 0, extent - 1);
}

// R. Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981: weights of the four neighbours at distance `t` of the
// second.
std::array<float, 4> cubic_weights(float a, float t) {
  const auto outer = [a](float d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  const auto inner = [a](float d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
  return {outer(t + 1), inner(t), inner(1 - t), outer(2 - t)};
}

// Adds the weights of one output position to its row of the map, [in].
void add_weights(const Options& o, const Axis& axis, float position, float* row) {
  const auto base = static_cast<std::int64_t>(std::floor(position));
  const float t = position - static_cast<float>(base);
  const auto add = [&](std::int64_t index, float weight) { row[std::clamp<std::int64_t>(index, 0, axis.in - 1)] += weight; };
  if (o.mode == "linear") {
    add(base, 1 - t);
    add(base + 1, t);
    return;
  }
  std::array<float, 4> weights = cubic_weights(o.cubic, t);
  float sum = 0;
  for (std::int64_t i = 0; i < 4; ++i) {
    const std::int64_t index = base - 1 + i;
    if (o.exclude_outside && (index < 0 || index >= axis.in)) weights[static_cast<std::size_t>(i)] = 0;
    sum += weights[static_cast<std::size_t>(i)];
  }
  for (std::int64_t i = 0; i < 4; ++i) add(base - 1 + i, weights[static_cast<std::size_t>(i)] / (o.exclude_outside ? sum : 1));
}

at::Tensor resize_nearest(const at::Tensor& x, std::int64_t at, const Options& o, const Axis& axis) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < axis.out; ++i) indices.push_back(nearest_index(o, original_position(o, axis, i), axis.in));
  return at::index_select(x, at, at::tensor(indices, at::kLong).to(x.device()));
}

at::Tensor resize_weighted(const at::Tensor& x, std::int64_t at, const Options& o, const Axis& axis) {
  std::vector<float> weights(static_cast<std::size_t>(axis.in * axis.out), 0.0f);
  for (std::int64_t i = 0; i < axis.out; ++i) add_weights(o, axis, original_position(o, axis, i), weights.data() + i * axis.in);
  const at::Tensor map = at::tensor(weights).reshape({axis.out, axis.in}).to(x.options());
  if (at == x.dim() - 2) return at::matmul(map, x);
  return at::matmul(x.transpose(at, -1), map.t()).transpose(at, -1);
}

// tf_crop_and_resize: positions outside the input take the extrapolation value.
at::Tensor extrapolate(const at::Tensor& x, std::int64_t at, const Options& o, const Axis& axis) {
  std::vector<float> is_outside;
  for (std::int64_t i = 0; i < axis.out; ++i) {
    const float position = original_position(o, axis, i);
    is_outside.push_back(position < 0 || position > static_cast<float>(axis.in - 1) ? 1.0f : 0.0f);
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[static_cast<std::size_t>(at)] = axis.out;
  return x.masked_fill(at::tensor(is_outside).reshape(shape).to(x.device()).gt(0), o.extrapolation);
}

std::vector<float> floats_of(const Tensors& inputs, std::size_t index) {
  if (!has_input(inputs, index) || inputs[index].numel() == 0) return {};
  const at::Tensor values = inputs[index].to(at::kCPU, at::kFloat).contiguous();
  return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

Axis axis_of(const at::Tensor& x, std::size_t i, const std::vector<float>& roi, const std::vector<float>& scales,
             const std::vector<std::int64_t>& sizes, bool crops) {
  const auto rank = static_cast<std::size_t>(x.dim());
  Axis axis;
  axis.in = x.size(static_cast<std::int64_t>(i));
  if (crops && roi.size() == 2 * rank) {
    axis.roi_begin = roi[i];
    axis.roi_end = roi[rank + i];
  }
  if (!sizes.empty()) {
    axis.out = sizes[i];
    axis.scale = static_cast<float>(axis.out) / static_cast<float>(axis.in);
  } else {
    axis.scale = scales[i];
    const float span = crops ? axis.roi_end - axis.roi_begin : 1.0f;
    axis.out = static_cast<std::int64_t>(std::floor(static_cast<float>(axis.in) * span * axis.scale));
  }
  return axis;
}

Options options_of(const Node& node) {
  Options o;
  o.mode = string_attribute(node, "mode", "nearest");
  o.coordinates = string_attribute(node, "coordinate_transformation_mode", "half_pixel");
  o.nearest = string_attribute(node, "nearest_mode", "round_prefer_floor");
  o.cubic = float_attribute(node, "cubic_coeff_a", -0.75f);
  o.exclude_outside = int_attribute(node, "exclude_outside", 0) != 0;
  o.extrapolation = float_attribute(node, "extrapolation_value", 0);
  const auto check = [&](const std::string& value, std::initializer_list<const char*> legal) {
    if (std::none_of(legal.begin(), legal.end(), [&](const char* each) { return value == each; }))
      throw_unsupported(node, "'" + value + "'");
  };
  check(o.mode, {"nearest", "linear", "cubic"});
  check(o.coordinates, {"half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize"});
  check(o.nearest, {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"});
  return o;
}

Kernel resize(const Network& network, const Node& node) {
  const Options o = options_of(node);
  const IntegerOperand size_operand(network, node, 3);
  return [=](const Tensors& inputs, const RunOptions&) {
    const std::vector<float> roi = floats_of(inputs, 1), scales = floats_of(inputs, 2);
    const std::vector<std::int64_t> sizes = size_operand.is_given() ? size_operand.values(inputs) : std::vector<std::int64_t>();
    const bool crops = o.coordinates == "tf_crop_and_resize";
    at::Tensor x = inputs[0];
    for (std::size_t i = 0; i < static_cast<std::size_t>(inputs[0].dim()); ++i) {
      const Axis axis = axis_of(inputs[0], i, roi, scales, sizes, crops);
      const auto at = static_cast<std::int64_t>(i);
      const bool is_whole = !crops || (axis.roi_begin == 0 && axis.roi_end == 1);
      if (axis.in == axis.out && axis.scale == 1 && is_whole) continue;
      x = o.mode == "nearest" ? resize_nearest(x, at, o, axis) : resize_weighted(x, at, o, axis);
      if (crops) x = extrapolate(x, at, o, axis);
    }
    return Tensors{x};
  };
}

}  // namespace

const Table& resize_table() {
  static const Table table{{"Resize", resize}};
  return table;
}

}  // namespace lathe::models::kernels
