#include "models/operators.h"

#include <algorithm>
#include <set>

#include "models/learned_scales.h"

namespace lathe::models {
namespace {

using Ints = std::vector<std::int64_t>;

const Shape& input_shape(const Network& network, const Node& node, std::size_t input) {
  LATHE_CHECK(input < node.inputs.size() && node.inputs[input] != kNoValue) << node.name << " has no input " << input;
  return network.value(node.inputs[input]).shape;
}

// Splits `total` padding of each axis as SAME_UPPER (the odd one at the end) or SAME_LOWER.
Ints split_padding(const Ints& total, bool odd_at_end) {
  Ints pads(total.size() * 2);
  for (std::size_t i = 0; i < total.size(); ++i) {
    const std::int64_t less = total[i] / 2, more = total[i] - less;
    pads[i] = odd_at_end ? less : more;
    pads[total.size() + i] = odd_at_end ? more : less;
  }
  return pads;
}

// Pads of a window operator (Conv, pooling): as written, or so that out = ceil(in / stride) for auto_pad SAME_*.
Ints window_pads(const Node& node, const Shape& input, const Ints& kernel, const Ints& strides, const Ints& dilations) {
  const std::string auto_pad = string_attribute(node, "auto_pad", "NOTSET");
  const std::size_t axes = kernel.size();
  if (auto_pad == "NOTSET" || auto_pad.empty()) return ints_attribute(node, "pads", Ints(axes * 2, 0));
  if (auto_pad == "VALID") return Ints(axes * 2, 0);
  LATHE_CHECK_EQ(input.size(), axes + 2);
  Ints total(axes);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t extent = input[i + 2], window = (kernel[i] - 1) * dilations[i] + 1;
    const std::int64_t out = (extent + strides[i] - 1) / strides[i];
    total[i] = std::max<std::int64_t>(0, (out - 1) * strides[i] + window - extent);
  }
  return split_padding(total, auto_pad == "SAME_UPPER");
}

// Padding of ConvTranspose that makes the wanted output: `output_shape`, or in * stride for auto_pad SAME_*. Where output_shape is
// larger than the transposed convolution gives, the rest becomes output padding; SAME_* pads by nothing then (as ONNX Runtime).
void resolve_transposed_pads(const Node& node, const Shape& input, ConvAttributes& a) {
  const std::size_t axes = a.kernel.size();
  const std::string auto_pad = string_attribute(node, "auto_pad", "NOTSET");
  Ints wanted = ints_attribute(node, "output_shape", {});
  const bool is_same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (wanted.empty() && !is_same) {
    a.pads = auto_pad == "VALID" ? Ints(axes * 2, 0) : ints_attribute(node, "pads", Ints(axes * 2, 0));
    return;
  }
  LATHE_CHECK_EQ(input.size(), axes + 2);
  if (wanted.size() == axes + 2) wanted.erase(wanted.begin(), wanted.begin() + 2);
  Ints total(axes);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t full = a.strides[i] * (input[i + 2] - 1) + a.output_padding[i] + (a.kernel[i] - 1) * a.dilations[i] + 1;
    total[i] = full - (wanted.empty() ? input[i + 2] * a.strides[i] : wanted[i]);
    if (total[i] >= 0) continue;
    if (!wanted.empty()) a.output_padding[i] -= total[i];
    total[i] = 0;
  }
  a.pads = split_padding(total, auto_pad == "SAME_UPPER");
}

bool is_matrix_constant(const Network& network, const Node& node, std::size_t input) {
  if (input >= node.inputs.size()) return false;
  const auto found = network.constants.find(node.inputs[input]);
  return found != network.constants.end() && found->second.rank() >= 2;
}

// Whether what `node` reads at `input` could be learned at all.
bool is_parameter_input(const Node& node, std::size_t input) {
  const std::string& op = node.op;
  if (op == "BatchNormalization") return input == 1 || input == 2;
  if (op == "Pow") return input == 0;
  for (const char* name : {"FakeQuantize", "QuantizeLinear", "DequantizeLinear", "Clip", "Resize", "Pad", "Reshape", "Expand", "Tile"}) {
    if (op == name) return input == 0;
  }
  return true;
}

// Operators whose parameters are learned even where they hold one number.
bool has_named_parameters(const Node& node) {
  for (const char* name :
       {"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "InstanceNormalization", "LayerNormalization", "PRelu"}) {
    if (node.op == name) return true;
  }
  return false;
}

bool looks_like_mask(const Tensor& tensor) {
  constexpr float kMaskMagnitude = 1e4f;
  const auto values = tensor.values<float>();
  return std::any_of(values.begin(), values.end(), [](float v) { return !(v > -kMaskMagnitude && v < kMaskMagnitude); });
}

}  // namespace

ConvAttributes conv_attributes(const Network& network, const Node& node) {
  const Shape& weight = input_shape(network, node, 1);
  LATHE_CHECK_GE(weight.size(), 3u);
  const std::size_t axes = weight.size() - 2;
  ConvAttributes a;
  a.kernel = Ints(weight.begin() + 2, weight.end());
  a.strides = ints_attribute(node, "strides", Ints(axes, 1));
  a.dilations = ints_attribute(node, "dilations", Ints(axes, 1));
  a.output_padding = ints_attribute(node, "output_padding", Ints(axes, 0));
  a.group = int_attribute(node, "group", 1);
  if (node.op == "ConvTranspose") {
    resolve_transposed_pads(node, input_shape(network, node, 0), a);
  } else {
    a.pads = window_pads(node, input_shape(network, node, 0), a.kernel, a.strides, a.dilations);
  }
  return a;
}

PoolAttributes pool_attributes(const Network& network, const Node& node) {
  PoolAttributes a;
  a.kernel = ints_attribute(node, "kernel_shape", {});
  const std::size_t axes = a.kernel.size();
  a.strides = ints_attribute(node, "strides", Ints(axes, 1));
  a.dilations = ints_attribute(node, "dilations", Ints(axes, 1));
  // SAME_* says what comes out, so that there is nothing left to round.
  a.ceil_mode = int_attribute(node, "ceil_mode", 0) != 0 && !string_attribute(node, "auto_pad", "NOTSET").starts_with("SAME");
  a.count_include_pad = int_attribute(node, "count_include_pad", 0) != 0;
  a.pads = window_pads(node, input_shape(network, node, 0), a.kernel, a.strides, a.dilations);
  return a;
}

GemmAttributes gemm_attributes(const Node& node) {
  return {.alpha = float_attribute(node, "alpha", 1.0f),
          .beta = float_attribute(node, "beta", 1.0f),
          .transpose_a = int_attribute(node, "transA", 0) != 0,
          .transpose_b = int_attribute(node, "transB", 0) != 0};
}

int weight_input(const Network& network, const Node& node) {
  if (!node.domain.empty()) return -1;
  if (node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm") return is_matrix_constant(network, node, 1) ? 1 : -1;
  if (node.op != "MatMul") return -1;
  // A product of two constants would be folded at import; the second operand is the usual place.
  if (is_matrix_constant(network, node, 1)) return 1;
  return is_matrix_constant(network, node, 0) ? 0 : -1;
}

int table_input(const Network& network, const Node& node) {
  const bool is_table = node.domain.empty() && node.op == "Gather" && int_attribute(node, "axis", 0) == 0 &&
                        is_matrix_constant(network, node, 0) && network.value(node.inputs[0]).shape.size() == 2 &&
                        network.value(node.inputs[0]).type == DataType::kFloat32;
  return is_table ? 0 : -1;
}

int stored_input(const Network& network, const Node& node) {
  const int weight = weight_input(network, node);
  return weight >= 0 ? weight : table_input(network, node);
}

int output_channel_axis(const Network& network, const Node& node) {
  if (node.op == "Conv") return 0;
  if (node.op == "ConvTranspose") return 1;
  if (node.op == "Gemm") return gemm_attributes(node).transpose_b ? 0 : 1;
  LATHE_CHECK_EQ(node.op, "MatMul");
  const int input = weight_input(network, node);
  LATHE_CHECK_GE(input, 0);
  const int rank = static_cast<int>(input_shape(network, node, static_cast<std::size_t>(input)).size());
  return input == 1 ? rank - 1 : rank - 2;
}

std::vector<ValueId> trainable_constants(const Network& network) {
  std::set<ValueId> learned;
  for (const Node& node : network.nodes) {
    for (std::size_t input = 0; input < node.inputs.size(); ++input) {
      const auto found = network.constants.find(node.inputs[input]);
      if ((input == 1 && learns_scale(node)) || (input == 3 && learns_offset(node))) learned.insert(node.inputs[input]);
      if (found == network.constants.end() || !is_parameter_input(node, input)) continue;
      const Tensor& tensor = found->second;
      if (tensor.type() != DataType::kFloat32 || tensor.rank() == 0) continue;
      if (has_named_parameters(node) || (tensor.size() > 1 && !looks_like_mask(tensor))) learned.insert(node.inputs[input]);
    }
  }
  return {learned.begin(), learned.end()};
}

}  // namespace lathe::models
