#include <set>
#include <tuple>

#include "models/operators.h"
#include "policies/layer_policies.h"
#include "policies/quantize_network.h"
#include "policies/sparse_storage.h"
#include "policies/weight_formats.h"
#include "policies/weight_sparsity.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

constexpr std::int64_t kFloatBytes = 4;
constexpr int kFloatBits = 32;

// The weight at its width and without its zeros, in whole bytes, and a float32 scale a channel or tensor where its format has one.
std::int64_t weight_bytes(const Network& network, const Node& node, const LayerPolicy& layer, ValueId weight) {
  const models::Shape& shape = network.constants.at(weight).shape();
  const std::int64_t elements = models::element_count(shape);
  WeightUnits units{elements, elements, 1};
  if (is_sparse(layer)) {  // tables of embeddings, which have no channels, never are
    const WeightAxes axes = weight_axes(network, node);
    units = weight_units(elements, shape[static_cast<std::size_t>(axes.input)], shape[static_cast<std::size_t>(axes.output)], layer);
  }
  const bool is_half = layer.weight_bits == kFloatBits &&
                       is_delivered_at_half(round_to_format(network.constants.at(weight), layer.weight_format, kFloatBits));
  const int bits = is_half ? kFloatBits / 2 : layer.weight_bits;
  const std::int64_t bytes = stored_bytes(units.count, units.kept, static_cast<int>(units.size) * bits);
  if (layer.weight_format == "int") {
    const int axis = weight_scale_axis(network, node, layer);
    return bytes + kFloatBytes * (axis >= 0 ? network.value(weight).shape[static_cast<std::size_t>(axis)] : 1);
  }
  const bool has_scale = layer.weight_format == "pow2" || layer.weight_bits == 8;
  return bytes + (has_scale ? kFloatBytes : 0);
}

}  // namespace

std::int64_t packed_bytes(const Network& network, const Policy& policy) {
  const std::vector<const LayerPolicy*> layers = layer_policies(network, policy);
  std::set<ValueId> packed;
  std::set<std::tuple<ValueId, int, std::string>> counted;  // a weight that two layers share is stored once for each format
  std::int64_t bytes = 0;
  const LayerPolicy kFloatLayer;
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    const LayerPolicy& layer = layers[n] ? *layers[n] : kFloatLayer;
    const Node& node = network.nodes[n];
    const int input = models::stored_input(network, node);
    if (input < 0) continue;
    const ValueId weight = node.inputs[static_cast<std::size_t>(input)];
    packed.insert(weight);
    if (!counted.emplace(weight, layer.weight_bits, layer.weight_format).second) continue;
    bytes += weight_bytes(network, node, layer, weight);
  }
  std::set<ValueId> parameters;
  for (const ValueId id : models::trainable_constants(network)) parameters.insert(id);
  for (const Node& node : network.nodes) {
    if (node.op == "BatchNormalization") parameters.insert({node.inputs[3], node.inputs[4]});
  }
  for (const ValueId id : parameters) {
    if (!packed.contains(id)) bytes += network.constants.at(id).size() * kFloatBytes;
  }
  return bytes;
}

}  // namespace lathe::policies
