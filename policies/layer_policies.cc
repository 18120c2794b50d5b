#include "policies/layer_policies.h"

#include <algorithm>
#include <map>

#include "models/base/error.h"
#include "models/operators.h"
#include "policies/low_rank.h"
#include "policies/search_space.h"

namespace lathe::policies {
namespace {

void check_formats(const LayerPolicy& layer, const std::string& key, std::vector<Fault>& faults) {
  if (layer.dynamic && integer_activation_bits(&layer) != kDynamicBits) {
    faults.push_back({.key = key + ".dynamic",
                      .expected = "true needs int activations of 8 bits, the one width that DynamicQuantizeLinear has",
                      .got = layer.activation_format + std::to_string(layer.activation_bits)});
  }
  const bool is_narrow_float = layer.activation_format == "float" && layer.activation_bits < 16;
  if (is_narrow_float || layer.activation_format == "pow2") {
    faults.push_back({.key = key + ".activation_format",
                      .expected = "expected int, or a float format of at least 16 bits",
                      .got = layer.activation_format + std::to_string(layer.activation_bits)});
  }
}

// Zeros are put into the constant itself, so no other layer may read it.
void check_own_weight(const models::Network& network, const LayerInfo& layer, const std::string& key, std::vector<Fault>& faults) {
  const std::string reason = layer.quantizable ? sharing_of_weight(network, layer) : layer.reason;
  if (!reason.empty()) faults.push_back({.key = key + ".sparsity", .expected = "layer '" + layer.name + "' cannot be sparse: " + reason});
}

// Nodes that read rows of a table of embeddings.
std::map<std::string, std::size_t> tables_by_name(const models::Network& network) {
  std::map<std::string, std::size_t> tables;
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    if (models::table_input(network, network.nodes[n]) >= 0) tables[network.nodes[n].name] = n;
  }
  return tables;
}

}  // namespace

std::string sharing_of_weight(const models::Network& network, const LayerInfo& layer) {
  const models::Node& own = network.nodes[static_cast<std::size_t>(layer.node)];
  const models::ValueId weight = own.inputs[static_cast<std::size_t>(models::weight_input(network, own))];
  for (const models::Node& node : network.nodes) {
    if (&node != &own && std::find(node.inputs.begin(), node.inputs.end(), weight) != node.inputs.end())
      return "'" + node.name + "' reads the same weight";
  }
  return "";
}

std::vector<const LayerPolicy*> layer_policies(const models::Network& network, const Policy& policy) {
  std::vector<std::string> names;
  std::map<std::string, const LayerInfo*> layers;
  const std::map<std::string, std::size_t> tables = tables_by_name(network);
  const std::vector<LayerInfo> described = describe_layers(network);
  for (const LayerInfo& layer : described) {
    names.push_back(layer.name);
    layers[layer.name] = &layer;
  }
  for (const auto& [name, node] : tables) names.push_back(name);
  std::vector<Fault> faults;
  std::vector<const LayerPolicy*> entries(network.nodes.size(), nullptr);
  for (std::size_t i = 0; i < policy.layers.size(); ++i) {
    const LayerPolicy& entry = policy.layers[i];
    const std::string key = "layers[" + std::to_string(i) + "]";
    if (const auto table = tables.find(entry.name); table != tables.end()) {
      if (entry.sparsity > 0) faults.push_back({.key = key + ".sparsity", .expected = "a table of embeddings cannot be sparse"});
      check_formats(entry, key, faults);
      entries[table->second] = &entry;
      continue;
    }
    const auto found = layers.find(entry.name);
    if (found == layers.end()) {
      const std::string near = nearest_spelling(entry.name, names);
      faults.push_back({.key = key + ".name",
                        .expected = "the network has no such layer" + (near.empty() ? "" : " (did you mean '" + near + "'?)"),
                        .got = entry.name});
      continue;
    }
    const LayerInfo& layer = *found->second;
    if (!layer.quantizable && (entry.weight_bits != 32 || entry.activation_bits != 32)) {
      faults.push_back({.key = key, .expected = "layer '" + entry.name + "' cannot be quantized: " + layer.reason});
    }
    if (entry.sparsity > 0) check_own_weight(network, layer, key, faults);
    check_formats(entry, key, faults);
    entries[static_cast<std::size_t>(layer.node)] = &entry;
  }
  if (!faults.empty()) throw UserError(faults);
  // Both factors of a layer have its entry.
  for (const LayerInfo& layer : described) {
    const auto whole = layers.find(factored_layer(layer.name));
    if (whole != layers.end()) entries[static_cast<std::size_t>(layer.node)] = entries[static_cast<std::size_t>(whole->second->node)];
  }
  return entries;
}

int weight_scale_axis(const models::Network& network, const models::Node& node, const LayerPolicy& layer) {
  constexpr std::size_t kMatrix = 2;
  constexpr int kTableRows = 0;
  if (models::table_input(network, node) >= 0) return layer.weight_granularity == "channel" ? kTableRows : -1;
  const auto weight = static_cast<std::size_t>(models::weight_input(network, node));
  const bool is_stack = node.op == "MatMul" && network.value(node.inputs[weight]).shape.size() > kMatrix;
  return layer.weight_granularity == "channel" && !is_stack ? models::output_channel_axis(network, node) : -1;
}

int integer_weight_bits(const LayerPolicy* layer) {
  return layer && layer->weight_format == "int" ? layer->weight_bits : 32;
}
bool has_dynamic_activations(const LayerPolicy* layer) {
  return layer && layer->dynamic;
}
int integer_activation_bits(const LayerPolicy* layer) {
  return layer && layer->activation_format == "int" ? layer->activation_bits : 32;
}

}  // namespace lathe::policies
