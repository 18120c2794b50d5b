#include "policies/exporters/lift_from_qdq.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "models/base/error.h"
#include "models/operators.h"
#include "policies/fake_quantize_node.h"
#include "policies/fresh_names.h"
#include "policies/low_rank.h"
#include "policies/quantize_network.h"

namespace lathe::policies {
namespace {

using models::DataType;
using models::kNoValue;
using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;

constexpr int kByteBits = 8, kByteMax = 255;

bool is_fake_quantize(const Node& node) {
  return node.op == "FakeQuantize" && node.domain == models::kLatheDomain;
}

// Levels times scale, along `axis` (-1: one scale).
Tensor dequantized(const Tensor& levels, const std::vector<float>& scale, std::int64_t axis) {
  const std::vector<std::int64_t> integers = levels.to_int64s();
  std::size_t inner = 1;
  for (std::int64_t i = axis + 1; axis >= 0 && i < levels.rank(); ++i)
    inner *= static_cast<std::size_t>(levels.shape()[static_cast<std::size_t>(i)]);
  std::vector<float> values(integers.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float s = scale[axis < 0 ? 0 : i / inner % scale.size()];
    values[i] = static_cast<float>(integers[i]) * s;
  }
  return Tensor::from<float>(levels.shape(), values);
}

class Lifting {
 public:
  Lifting(const Network& delivered, const Policy& policy)
      : source_(delivered), result_(delivered), names_(delivered), readers_(models::consumers(delivered)) {
    for (const LayerPolicy& layer : policy.layers) widths_[layer.name] = &layer;
    result_.nodes.clear();
  }

  Network run() && {
    for (const Node& node : source_.nodes) lift(node);
    for (ValueId& output : result_.outputs) output = float_of(output);
    Network lifted = models::without_dead_nodes(std::move(result_));
    name_values(lifted);
    return lifted;
  }

 private:
  // Integers that stand for a float value.
  struct Activation {
    ValueId value;
    float scale;
    std::int32_t zero_point;
    int quant_max;
  };

  bool is_constant(const Node& node, std::size_t input) const {
    return input < node.inputs.size() && result_.is_constant(node.inputs[input]);
  }
  const Tensor& constant(const Node& node, std::size_t input) const {
    if (is_constant(node, input)) return result_.constants.at(node.inputs[input]);
    throw UserError(Fault{.key = node.name, .expected = "expected constant scales and bounds, as `lathe compress` writes them"});
  }

  void lift(const Node& node) {
    if (node.op == "QuantizeLinear") {
      const bool has_zero_point = node.inputs.size() > 2 && node.inputs[2] != kNoValue;
      activations_[node.outputs[0]] = {float_of(node.inputs[0]), constant(node, 1).to_floats().at(0),
                                       has_zero_point ? static_cast<std::int32_t>(constant(node, 2).to_int64s().at(0)) : 0, kByteMax};
    } else if (node.op == "DynamicQuantizeLinear") {
      replaced_[node.outputs[0]] = float_of(node.inputs[0]);  // no format has a word for it
    } else if (node.op == "Clip" && activations_.contains(node.inputs[0])) {
      Activation clipped = activations_.at(node.inputs[0]);
      clipped.quant_max = static_cast<int>(constant(node, 2).to_int64s().at(0));
      activations_[node.outputs[0]] = clipped;
    } else if (node.op == "DequantizeLinear" && is_constant(node, 0)) {
      lift_constant(node);
    } else if (node.op == "DequantizeLinear") {
      replaced_[node.outputs[0]] = float_of(node.inputs[0]);
    } else if (node.op == "Cast" && is_constant(node, 0) && constant(node, 0).type() == DataType::kInt16) {
      wide_weights_[node.outputs[0]] = node.inputs[0];
    } else if (node.op == "Mul" && wide_weights_.contains(node.inputs[0])) {
      lift_wide_weight(node);
    } else if (node.op == "Cast" && is_constant(node, 0)) {
      replaced_[node.outputs[0]] =
          add_constant("weight", node.outputs[0], Tensor::from<float>(constant(node, 0).shape(), constant(node, 0).to_floats()));
    } else {
      copy(node);
    }
  }

  // An operator that runs on floats again, whatever it ran on in the file.
  void copy(const Node& node) {
    Node copied = node;
    const bool moves_integers = !node.inputs.empty() && (activations_.contains(node.inputs[0]) || moved_.contains(node.inputs[0]));
    if (moves_integers && node.op == "Pad" && copied.inputs.size() > 2) copied.inputs[2] = kNoValue;  // the zero point stood for zero
    for (ValueId& input : copied.inputs) {
      if (input != kNoValue) input = float_of(input);
    }
    for (const ValueId output : copied.outputs) {
      if (output == kNoValue || !moves_integers) continue;
      result_.values[static_cast<std::size_t>(output)].type = DataType::kFloat32;
      moved_.insert(output);
    }
    result_.nodes.push_back(std::move(copied));
  }

  ValueId float_of(ValueId id) {
    if (const auto found = replaced_.find(id); found != replaced_.end()) return found->second;
    const auto activation = activations_.find(id);
    if (activation == activations_.end()) return id;
    const auto& [value, scale, zero_point, quant_max] = activation->second;
    int bits = 1;
    while ((1 << bits) - 1 < quant_max) ++bits;
    return replaced_[id] = append_fake_quantize(result_, names_, value,
                                                {.scale = {scale}, .zero_point = {zero_point}, .quant_min = 0, .quant_max = quant_max},
                                                /*axis=*/-1, bits);
  }

  // A weight in bytes, or a bias in 32 bits.
  void lift_constant(const Node& node) {
    const Tensor& levels = constant(node, 0);
    const std::vector<float> scale = constant(node, 1).to_floats();
    const std::int64_t axis = constant(node, 1).rank() == 0 ? -1 : models::int_attribute(node, "axis", 1);
    if (levels.type() == DataType::kInt32) {
      replaced_[node.outputs[0]] = add_constant("bias", node.outputs[0], dequantized(levels, scale, axis));
    } else {
      add_weight(node.outputs[0], levels, scale, axis);
    }
  }

  void lift_wide_weight(const Node& node) {
    const Tensor& scale = constant(node, 1);
    std::int64_t axis = -1;
    for (std::int64_t i = 0; i < scale.rank(); ++i) {
      if (scale.shape()[static_cast<std::size_t>(i)] > 1) axis = i;
    }
    add_weight(node.outputs[0], result_.constants.at(wide_weights_.at(node.inputs[0])), scale.to_floats(), axis);
  }

  void add_weight(ValueId id, const Tensor& levels, const std::vector<float>& scale, std::int64_t axis) {
    const int bits = weight_bits(id);
    const int largest = (1 << (bits - 1)) - 1;
    for (const std::int64_t level : levels.to_int64s()) {
      if (level >= -largest && level <= largest) continue;
      throw UserError(Fault{.key = reader_of(id).name,
                            .expected = "the policy gives the weight " + std::to_string(bits) +
                                        " bits, but the delivered file holds the level " + std::to_string(level) +
                                        "; are they of one run?"});
    }
    const ValueId weight = add_constant("weight", id, dequantized(levels, scale, axis));
    replaced_[id] = append_fake_quantize(
        result_, names_, weight,
        {.scale = scale, .zero_point = std::vector<std::int32_t>(scale.size(), 0), .quant_min = -largest, .quant_max = largest}, axis,
        bits);
  }

  const Node& reader_of(ValueId id) const { return source_.nodes[static_cast<std::size_t>(readers_[static_cast<std::size_t>(id)].at(0))]; }

  int weight_bits(ValueId id) const {
    const Node& reader = reader_of(id);
    const auto layer = widths_.find(factored_layer(reader.name));
    if (layer != widths_.end() && layer->second->weight_format == "int") return layer->second->weight_bits;
    throw UserError(Fault{.key = reader.name,
                          .expected = "the delivered file quantizes this layer's weight and the policy does not; are they of one run?"});
  }

  // Named after the layer that reads it: "conv1.weight".
  ValueId add_constant(const std::string& what, ValueId id, Tensor tensor) {
    return result_.add_constant(reader_of(id).name + "." + what, std::move(tensor));
  }

  // "conv1_out" for what conv1 makes, "conv1_out_quantized" behind its FakeQuantize; inputs and outputs of the network keep their names.
  static void name_values(Network& network) {
    std::set<std::string> taken;
    std::set<ValueId> fixed(network.outputs.begin(), network.outputs.end());
    fixed.insert(network.inputs.begin(), network.inputs.end());
    for (const auto& [id, tensor] : network.constants) fixed.insert(id);
    for (const ValueId id : fixed) taken.insert(network.value(id).name);
    for (const Node& node : network.nodes) {
      for (std::size_t i = 0; i < node.outputs.size(); ++i) {
        if (node.outputs[i] == kNoValue || fixed.contains(node.outputs[i])) continue;
        const std::string stem = is_fake_quantize(node) ? network.value(node.inputs[0]).name + "_quantized" : node.name + "_out";
        std::string name = stem;
        for (int number = 2; !taken.insert(name).second; ++number) name = stem + "_" + std::to_string(number);
        network.values[static_cast<std::size_t>(node.outputs[i])].name = name;
      }
    }
  }

  const Network& source_;
  Network result_;
  FreshNames names_;
  std::vector<std::vector<int>> readers_;
  std::map<std::string, const LayerPolicy*> widths_;
  std::map<ValueId, Activation> activations_;  // integer values of the file
  std::set<ValueId> moved_;                    // integers of the file that an operator copied from others
  std::map<ValueId, ValueId> replaced_;        // by value of the file
  std::map<ValueId, ValueId> wide_weights_;    // result of a Cast -> its 16-bit constant
};

void check_layers(const Network& delivered, const Policy& policy) {
  std::set<std::string> names;
  for (const Node& node : delivered.nodes) names.insert(node.name);
  std::vector<Fault> faults;
  for (const LayerPolicy& layer : policy.layers) {
    if (!names.contains(layer.name))
      faults.push_back({.key = layer.name, .expected = "the delivered file has no such layer; are policy and file of one run?"});
  }
  if (!faults.empty()) throw UserError(faults);
}

// Layers read their inputs at the widths that the policy gives them.
void check_activation_widths(const Network& lifted, const Policy& policy) {
  std::map<ValueId, int> bits;
  std::map<std::string, const Node*> nodes;
  for (const Node& node : lifted.nodes) {
    nodes[node.name] = &node;
    if (is_fake_quantize(node) && !lifted.is_constant(node.inputs[0]))
      bits[node.outputs[0]] = static_cast<int>(models::int_attribute(node, "bits", kByteBits));
  }
  std::vector<Fault> faults;
  for (const LayerPolicy& layer : policy.layers) {
    if (layer.activation_format != "int") continue;
    for (const ValueId input : nodes.at(layer.name)->inputs) {
      const auto found = bits.find(input);
      if (found == bits.end() || found->second == layer.activation_bits) continue;
      faults.push_back({.key = layer.name,
                        .expected = "the policy gives the activations " + std::to_string(layer.activation_bits) +
                                    " bits, the delivered file " + std::to_string(found->second) + "; are they of one run?"});
    }
  }
  if (!faults.empty()) throw UserError(faults);
}

}  // namespace

Network lift_from_qdq(const Network& delivered, const Policy& policy) {
  check_layers(delivered, policy);
  Network lifted = Lifting(delivered, policy).run();
  check_activation_widths(lifted, policy);
  return lifted;
}

}  // namespace lathe::policies
