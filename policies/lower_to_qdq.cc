// Simulated quantization into ONNX's QuantizeLinear and DequantizeLinear, in the arrangement that runtimes turn into integer kernels: every
// input of an integer operator comes from a DequantizeLinear and its result, but for an activation, goes to a QuantizeLinear.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>

#include "models/base/error.h"
#include "models/operators.h"
#include "policies/bias_alignment.h"
#include "policies/fresh_names.h"
#include "policies/operator_classes.h"
#include "policies/quantize_network.h"
#include "policies/redundant_activations.h"
#include "policies/weight_formats.h"

namespace lathe::policies {
namespace {

using models::DataType;
using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;

constexpr int kByteBits = 8;

// Copying operators that ONNX and its runtimes have for uint8 just as for floats.
bool moves_integers(const Network& network, const Node& node) {
  static const std::vector<std::string> kMoves{"Transpose", "Slice", "Split", "Pad", "Expand", "Tile", "MaxPool"};
  if (!copies_elements(network, node) || (node.op == "MaxPool" && node.outputs.size() > 1)) return false;
  return is_view(node) || std::find(kMoves.begin(), kMoves.end(), node.op) != kMoves.end();
}

class Lowering {
 public:
  Lowering(const Network& network, IntegerTypes types) : source_(network), types_(types), result_(network), names_(network) {
    result_.nodes.clear();
    result_.opset = std::max(network.opset, 13);
  }

  Network run() && {
    for (const Node& node : source_.nodes) {
      if (node.op == "FakeQuantize" && node.domain == models::kLatheDomain) {
        lower_quantizer(node);
      } else if (node.op == "DynamicFakeQuantize" && node.domain == models::kLatheDomain) {
        lower_dynamic_quantizer(node);
      } else if (!node.inputs.empty() && integers_.contains(node.inputs[0]) && copies_elements(source_, node)) {
        lower_copy(node);
      } else {
        lower_operator(node);
      }
    }
    for (const ValueId output : source_.outputs) float_of(output);
    shorten_names();
    return models::without_dead_nodes(std::move(result_));
  }

 private:
  // Names of values inside the network mean nothing to anybody and take room in the file; nodes, inputs, outputs and constants keep theirs.
  void shorten_names() {
    std::vector<bool> keeps(result_.values.size(), false);
    for (const ValueId id : result_.inputs) keeps[static_cast<std::size_t>(id)] = true;
    for (const ValueId id : result_.outputs) keeps[static_cast<std::size_t>(id)] = true;
    for (const auto& [id, tensor] : result_.constants) keeps[static_cast<std::size_t>(id)] = true;
    for (std::size_t id = 0; id < result_.values.size(); ++id) {
      if (!keeps[id]) result_.values[id].name = names_.next();
    }
  }

  // A value that is there as integers; its float form is made, under the old id, when somebody reads it.
  struct Integers {
    ValueId value;
    float scale;
    std::int32_t zero_point;
  };
  // How a weight that is stored in bytes is scaled.
  struct WeightScale {
    std::vector<float> scale;
    std::int64_t axis;
  };

  Node& add_node(const char* op, std::vector<ValueId> inputs, ValueId output) {
    result_.nodes.push_back(
        {.name = names_.next(), .op = op, .domain = "", .inputs = std::move(inputs), .outputs = {output}, .attributes = {}});
    return result_.nodes.back();
  }

  ValueId add_value(DataType type, models::Shape shape) {
    return result_.add_value({.name = names_.next(), .type = type, .shape = std::move(shape)});
  }

  // Constants that are equal are stored once.
  ValueId add_constant(const Tensor& tensor) {
    if (tensor.size() <= 1) {
      for (const auto& [id, other] : shared_) {
        if (other == tensor) return id;
      }
    }
    const ValueId id = result_.add_constant(names_.next(), tensor);
    if (tensor.size() <= 1) shared_.emplace_back(id, tensor);
    return id;
  }

  // Scale, and zero point where it is not the default of 0.
  std::vector<ValueId> with_parameters(ValueId value, const Integers& integers) {
    std::vector<ValueId> inputs{value, add_constant(Tensor::scalar(integers.scale))};
    if (integers.zero_point != 0) inputs.push_back(add_constant(byte(integers.zero_point)));
    return inputs;
  }

  static Tensor byte(std::int32_t value) {
    return Tensor::from<std::uint8_t>({}, std::vector<std::uint8_t>{static_cast<std::uint8_t>(value)});
  }

  void lower_quantizer(const Node& node) {
    if (source_.is_constant(node.inputs[0])) {
      lower_weight(node);
      return;
    }
    const auto bits = models::int_attribute(node, "bits", kByteBits);
    const QuantizationParameters parameters = parameters_of(source_, node);
    LATHE_CHECK_EQ(parameters.scale.size(), 1u) << "activations are quantized by tensor";
    if (bits > kByteBits) {  // stays float
      renamed_[node.outputs[0]] = float_of(node.inputs[0]);
      return;
    }
    const models::Shape& shape = source_.value(node.outputs[0]).shape;
    Integers integers{add_value(DataType::kUint8, shape), parameters.scale[0], parameters.zero_point[0]};
    add_node("QuantizeLinear", with_parameters(float_of(node.inputs[0]), integers), integers.value);
    // Fewer levels than a byte has: the integers themselves are clipped, so that scale and zero point are those of the narrow width and the
    // operator in front still ends in a QuantizeLinear.
    if (parameters.quant_max < 255) {
      const ValueId clipped = add_value(DataType::kUint8, shape);
      add_node("Clip", {integers.value, models::kNoValue, add_constant(byte(parameters.quant_max))}, clipped);
      integers.value = clipped;
    }
    integers_[node.outputs[0]] = integers;
  }

  void lower_dynamic_quantizer(const Node& node) {
    const ValueId integers = add_value(DataType::kUint8, source_.value(node.outputs[0]).shape);
    const ValueId scale = add_value(DataType::kFloat32, {}), zero_point = add_value(DataType::kUint8, {});
    add_node("DynamicQuantizeLinear", {float_of(node.inputs[0])}, integers).outputs = {integers, scale, zero_point};
    add_node("DequantizeLinear", {integers, scale, zero_point}, node.outputs[0]);
  }

  void lower_copy(const Node& node) {
    const Integers from = integers_.at(node.inputs[0]);
    if (moves_integers(source_, node)) {
      Node copy = node;
      copy.inputs[0] = from.value;
      if (node.op == "Pad" && from.zero_point != 0) {  // padded with what stands for zero
        copy.inputs.resize(std::max<std::size_t>(copy.inputs.size(), 3), models::kNoValue);
        copy.inputs[2] = add_constant(byte(from.zero_point));
      } else if (node.op == "Pad" && copy.inputs.size() > 2) {
        copy.inputs[2] = models::kNoValue;
      }
      for (ValueId& output : copy.outputs) {
        if (output == models::kNoValue) continue;
        const ValueId moved = add_value(DataType::kUint8, source_.value(output).shape);
        integers_[output] = {moved, from.scale, from.zero_point};
        output = moved;
      }
      result_.nodes.push_back(std::move(copy));
      return;
    }
    lower_operator(node);
    const std::size_t at = result_.nodes.size() - 1;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId output = node.outputs[i];
      if (output == models::kNoValue || source_.value(output).type != DataType::kFloat32) continue;
      const models::Shape& shape = source_.value(output).shape;
      const Integers again{add_value(DataType::kUint8, shape), from.scale, from.zero_point};
      const ValueId real = add_value(DataType::kFloat32, shape);
      result_.nodes[at].outputs[i] = real;
      add_node("QuantizeLinear", with_parameters(real, again), again.value);
      integers_[output] = again;
    }
  }

  // The value as floats: dequantized at its first use.
  ValueId float_of(ValueId id) {
    if (const auto found = renamed_.find(id); found != renamed_.end()) return found->second;
    const auto integers = integers_.find(id);
    if (integers == integers_.end()) return id;
    add_node("DequantizeLinear", with_parameters(integers->second.value, integers->second), id);
    renamed_[id] = id;
    return id;
  }

  void lower_operator(const Node& node) {
    Node copy = node;
    for (ValueId& input : copy.inputs) {
      if (input != models::kNoValue) input = float_of(input);
    }
    const int weight = copy.op == "Conv" || copy.op == "Gemm" ? 1 : -1;
    if (weight > 0 && copy.inputs.size() > 2 && copy.inputs[2] != models::kNoValue) lower_bias(node, copy);
    const int float_weight = models::stored_input(source_, node);
    if (float_weight >= 0) {
      ValueId& input = copy.inputs[static_cast<std::size_t>(float_weight)];
      input = half_of(input);
    }
    result_.nodes.push_back(std::move(copy));
  }

  void lower_weight(const Node& node) {
    const auto bits = models::int_attribute(node, "bits", kByteBits);
    const Tensor& values = source_.constants.at(node.inputs[0]);
    const std::int64_t axis = models::int_attribute(node, "axis", -1);
    const QuantizationParameters parameters = parameters_of(source_, node);
    const std::vector<std::int32_t> levels = quantize(values, parameters, axis);
    const ValueId scale = axis < 0
                              ? add_constant(Tensor::scalar(parameters.scale[0]))
                              : add_constant(Tensor::from<float>({static_cast<std::int64_t>(parameters.scale.size())}, parameters.scale));
    if (bits > kByteBits) {
      lower_wide_weight(node, levels, parameters.scale, axis);
      return;
    }
    weights_[node.outputs[0]] = {parameters.scale, axis};
    const ValueId stored = add_constant(narrow_integers(values.shape(), levels, bits));
    std::vector<ValueId> inputs{stored, scale};
    if (axis >= 0 && !is_read_by_convolutions(node.outputs[0])) {
      // ONNX Runtime 1.20's integer Gemm fails where the optional zero points are left out.
      const std::vector<std::int32_t> zeros(parameters.scale.size(), 0);
      inputs.push_back(add_constant(narrow_integers({static_cast<std::int64_t>(zeros.size())}, zeros, bits)));
    }
    Node& dequantize = add_node("DequantizeLinear", inputs, node.outputs[0]);
    if (axis >= 0 && axis != 1) dequantize.attributes["axis"] = axis;  // 1 is the default
  }

  Tensor narrow_integers(models::Shape shape, const std::vector<std::int32_t>& levels, std::int64_t bits) const {
    constexpr std::int64_t kInt4Bits = 4;
    std::vector<std::byte> bytes;
    bytes.reserve(levels.size());
    for (const std::int32_t level : levels) bytes.push_back(static_cast<std::byte>(level));
    const DataType type = types_ == IntegerTypes::kInt4 && bits <= kInt4Bits ? DataType::kInt4 : DataType::kInt8;
    return Tensor(type, std::move(shape), std::move(bytes));
  }

  bool is_read_by_convolutions(ValueId id) const {
    return std::all_of(source_.nodes.begin(), source_.nodes.end(), [&](const Node& node) {
      return node.op == "Conv" || node.op == "ConvTranspose" || std::find(node.inputs.begin(), node.inputs.end(), id) == node.inputs.end();
    });
  }

  // 16-bit integers: DequantizeLinear takes them from opset 21 on only, so Cast and Mul.
  void lower_wide_weight(const Node& node, const std::vector<std::int32_t>& levels, const std::vector<float>& scale, std::int64_t axis) {
    const Tensor& values = source_.constants.at(node.inputs[0]);
    const ValueId stored =
        add_constant(Tensor::from<std::int16_t>(values.shape(), std::vector<std::int16_t>(levels.begin(), levels.end())));
    const ValueId real = add_value(DataType::kFloat32, values.shape());
    add_node("Cast", {stored}, real).attributes["to"] = kOnnxFloat;
    models::Shape shape(axis < 0 ? 0 : values.shape().size(), 1);
    if (axis >= 0) shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(scale.size());
    add_node("Mul", {real, add_constant(Tensor::from<float>(shape, scale))}, node.outputs[0]);
  }

  // Scale of the integers that the layer reads, if it reads integers.
  std::optional<float> input_scale(const Node& layer) const {
    const auto integers = integers_.find(layer.inputs[0]);
    if (integers == integers_.end()) return std::nullopt;
    return integers->second.scale;
  }

  void lower_bias(const Node& node, Node& copy) {
    const auto weight = weights_.find(node.inputs[1]);
    const std::optional<float> s = input_scale(node);
    const Tensor* bias = plain_bias(source_, node);
    if (!s || !bias || weight == weights_.end()) return;
    const auto values = bias->values<float>();
    std::vector<float> scale(weight->second.axis < 0 ? 1 : values.size());
    for (std::size_t i = 0; i < scale.size(); ++i) scale[i] = *s * weight->second.scale[i % weight->second.scale.size()];
    std::vector<std::int32_t> levels(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double level = std::nearbyint(static_cast<double>(values[i]) / static_cast<double>(scale[i % scale.size()]));
      if (!(std::abs(level) <= std::numeric_limits<std::int32_t>::max())) return;  // a bias that int32 cannot hold stays float
      levels[i] = static_cast<std::int32_t>(level);
    }
    const ValueId stored = add_constant(Tensor::from<std::int32_t>({static_cast<std::int64_t>(levels.size())}, levels));
    const bool by_channel = weight->second.axis >= 0;
    const ValueId scales =
        add_constant(by_channel ? Tensor::from<float>({static_cast<std::int64_t>(scale.size())}, scale) : Tensor::scalar(scale[0]));
    copy.inputs[2] = add_value(DataType::kFloat32, bias->shape());
    Node& dequantize = add_node("DequantizeLinear", {stored, scales}, copy.inputs[2]);
    if (by_channel) dequantize.attributes["axis"] = std::int64_t{0};
  }

  // A float weight or embedding table at half its size, where not one bit is lost; else as it is.
  ValueId half_of(ValueId weight) {
    const auto known = halves_.find(weight);
    if (known != halves_.end()) return known->second;
    ValueId& half = halves_[weight] = weight;
    const Tensor& values = source_.constants.at(weight);
    if (!is_delivered_at_half(values)) return weight;
    const bool fits_half = is_representable_as_half(values.values<float>());
    std::vector<std::byte> bytes(static_cast<std::size_t>(values.size()) * 2);
    std::size_t at = 0;
    for (const float value : values.values<float>()) {
      const std::uint16_t bits = fits_half ? to_half_bits(value) : to_bfloat_bits(value);
      std::memcpy(bytes.data() + at, &bits, sizeof bits);
      at += sizeof bits;
    }
    const DataType type = fits_half ? DataType::kFloat16 : DataType::kBFloat16;
    const ValueId stored = add_constant(Tensor(type, values.shape(), std::move(bytes)));
    half = add_value(DataType::kFloat32, values.shape());
    add_node("Cast", {stored}, half).attributes["to"] = kOnnxFloat;
    return half;
  }

  static constexpr std::int64_t kOnnxFloat = 1;  // TensorProto.FLOAT

  const Network& source_;
  const IntegerTypes types_;
  Network result_;
  FreshNames names_;
  std::map<ValueId, Integers> integers_;
  std::map<ValueId, ValueId> renamed_;
  std::map<ValueId, WeightScale> weights_;  // by what the layers read
  std::map<ValueId, ValueId> halves_;
  std::vector<std::pair<ValueId, Tensor>> shared_;
};

}  // namespace

IntegerTypes parse_integer_types(const std::string& name) {
  if (name == "int8") return IntegerTypes::kInt8;
  if (name == "int4") return IntegerTypes::kInt4;
  throw UserError("unknown integer types '" + name + "', expected int8 or int4");
}

Network lower_to_qdq(const Network& network, IntegerTypes types) {
  const Network prepared = align_biases(drop_redundant_activations(network));
  return Lowering(prepared, types).run();
}

}  // namespace lathe::policies
