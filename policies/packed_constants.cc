#include "policies/packed_constants.h"

#include <algorithm>
#include <map>
#include <set>

#include "models/base/error.h"
#include "models/operators.h"
#include "policies/low_rank.h"
#include "policies/quantized_layers.h"
#include "policies/weight_sparsity.h"

namespace lathe::policies {
namespace {

using models::DataType;
using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;

class Collector {
 public:
  Collector(const Network& network, const Policy& policy) : network_(network), makers_(models::producers(network)) {
    for (const LayerPolicy& layer : policy.layers) layers_[layer.name] = &layer;
  }

  PackedConstants run() && {
    for (const Node& node : network_.nodes) {
      const std::optional<StoredWeight> weight = stored_weight(network_, node, makers_);
      if (!weight) continue;
      add_weight(node, *weight);
      if (weight->scale != models::kNoValue) add(weight->scale, raw(weight->scale));
      if (weight->zero_point != models::kNoValue) add_zeros(weight->zero_point);
      add_bias(node, *weight);
    }
    for (const ValueId id : models::trainable_constants(network_)) add(id, raw(id));
    for (const Node& node : network_.nodes) {
      if (node.op != "BatchNormalization") continue;
      for (const std::size_t input : {3, 4}) add(node.inputs[input], raw(node.inputs[input]));
    }
    return std::move(result_);
  }

 private:
  const Tensor& constant(ValueId id) const { return network_.constants.at(id); }

  void add(ValueId id, PackedLayout layout) {
    if (known_.insert(id).second) result_.stored.push_back({id, std::move(layout)});
  }

  PackedLayout layout_of(ValueId id, PackedEncoding encoding, int bits, PackedUnits units) const {
    return {.type = constant(id).type(), .shape = constant(id).shape(), .encoding = encoding, .bits = bits, .units = units};
  }

  // Each element at the width that it has.
  PackedLayout raw(ValueId id) const {
    constexpr int kFloatBits = 32, kHalfBits = 16;
    const PackedEncoding encoding = constant(id).type() == DataType::kInt32      ? PackedEncoding::kInt
                                    : constant(id).type() == DataType::kFloat16  ? PackedEncoding::kFloat16
                                    : constant(id).type() == DataType::kBFloat16 ? PackedEncoding::kBfloat16
                                                                                 : PackedEncoding::kFloat32;
    const bool is_half = encoding == PackedEncoding::kFloat16 || encoding == PackedEncoding::kBfloat16;
    return layout_of(id, encoding, is_half ? kHalfBits : kFloatBits, {.kept = constant(id).size()});
  }

  void add_weight(const Node& node, const StoredWeight& weight) {
    const Tensor& values = constant(weight.constant);
    const auto found = layers_.find(factored_layer(node.name));  // of both factors where there are two
    const LayerPolicy layer = found == layers_.end() ? LayerPolicy{} : *found->second;
    PackedUnits units{.kept = values.size()};
    if (is_sparse(layer) && node.op != "Gather") {
      const WeightAxes axes = weight_axes(node, weight.operand, static_cast<int>(values.rank()));
      const auto extent = [&](int axis) { return values.shape()[static_cast<std::size_t>(axis)]; };
      const WeightUnits counted = weight_units(values.size(), extent(axes.input), extent(axes.output), layer);
      units = {.kept = counted.kept, .size = counted.size, .axis = axes.output};
    }
    if (weight.scale != models::kNoValue) {
      const PackedLayout layout = layout_of(weight.constant, PackedEncoding::kInt, layer.weight_bits, units);
      if (layer.weight_format != "int" || !can_pack(values, layout)) {
        throw UserError(Fault{.key = node.name,
                              .expected = "the delivered file holds integers that the policy's width or sparsity of this layer's weight "
                                          "does not; are they of one run?"});
      }
      add(weight.constant, layout);
      return;
    }
    for (const PackedLayout& layout : float_layouts(weight.constant, layer, units)) {
      if (!can_pack(values, layout)) continue;
      add(weight.constant, layout);
      return;
    }
  }

  // In the order of preference; the last one holds any float.
  std::vector<PackedLayout> float_layouts(ValueId id, const LayerPolicy& layer, PackedUnits units) const {
    std::vector<PackedLayout> layouts;
    if (layer.weight_format == "pow2") layouts.push_back(layout_of(id, PackedEncoding::kPow2, layer.weight_bits, units));
    if (layer.weight_format == "float" && layer.weight_bits == 8) layouts.push_back(layout_of(id, PackedEncoding::kFloat8, 8, units));
    if (layer.weight_format == "float" && layer.weight_bits == 16) layouts.push_back(layout_of(id, PackedEncoding::kFloat16, 16, units));
    if (layer.weight_format == "bfloat") layouts.push_back(layout_of(id, PackedEncoding::kBfloat16, 16, units));
    PackedLayout plain = raw(id);
    plain.units = units;
    layouts.push_back(plain);
    layouts.push_back(raw(id));
    return layouts;
  }

  void add_zeros(ValueId id) {
    const std::vector<std::int64_t> values = constant(id).to_int64s();
    const bool is_zero = std::all_of(values.begin(), values.end(), [](std::int64_t value) { return value == 0; });
    if (is_zero && known_.insert(id).second) result_.derived.push_back({.id = id, .of = std::nullopt});
  }

  // Its scale is that of the input times that of the weight, where the file has both.
  void add_bias(const Node& node, const StoredWeight& weight) {
    if (node.op == "MatMul" || node.op == "Gather" || node.inputs.size() < 3 || node.inputs[2] == models::kNoValue) return;
    const Node* dequantize = maker(node.inputs[2], "DequantizeLinear");
    if (dequantize == nullptr || !network_.is_constant(dequantize->inputs[0])) return;
    add(dequantize->inputs[0], raw(dequantize->inputs[0]));
    const ValueId scale = dequantize->inputs[1];
    const Node* input = maker(node.inputs[0], "DequantizeLinear");
    if (input != nullptr && weight.scale != models::kNoValue && network_.is_constant(input->inputs[1]) && !known_.contains(scale)) {
      const DerivedConstant product{.id = scale, .of = weight.scale, .factor = constant(input->inputs[1]).to_floats().at(0)};
      if (is_product(product)) {
        known_.insert(scale);
        result_.derived.push_back(product);
      }
    }
    add(scale, raw(scale));
  }

  bool is_product(const DerivedConstant& product) const {
    const Tensor &scale = constant(product.id), &of = constant(*product.of);
    if (scale.shape() != of.shape() || of.type() != DataType::kFloat32) return false;
    std::vector<float> values = of.to_floats();
    for (float& value : values) value *= product.factor;
    return values == scale.to_floats();
  }

  const Node* maker(ValueId id, const char* op) const {
    const int node = makers_[static_cast<std::size_t>(id)];
    return node >= 0 && network_.nodes[static_cast<std::size_t>(node)].op == op ? &network_.nodes[static_cast<std::size_t>(node)] : nullptr;
  }

  const Network& network_;
  const std::vector<int> makers_;
  std::map<std::string, const LayerPolicy*> layers_;
  std::set<ValueId> known_;
  PackedConstants result_;
};

}  // namespace

std::int64_t PackedConstants::bytes() const {
  std::int64_t sum = 0;
  for (const PackedConstant& constant : stored) sum += bytes_of(constant.layout);
  return sum;
}

PackedConstants packed_constants(const Network& delivered, const Policy& policy) {
  return Collector(delivered, policy).run();
}

}  // namespace lathe::policies
