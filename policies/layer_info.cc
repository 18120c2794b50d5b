// What is to be known of a network's layers before any of them is compressed.
#include <algorithm>

#include "models/op_counts.h"
#include "models/operators.h"
#include "policies/quantized_layers.h"
#include "policies/search_space.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

// Elements of one sample; an extent that depends on the batch counts as 1.
std::int64_t sample_elements(const Network& network, ValueId id) {
  std::int64_t elements = 1;
  for (const std::int64_t extent : network.value(id).shape) elements *= extent == models::kDynamic ? 1 : extent;
  return elements;
}

std::int64_t largest(const std::vector<std::int64_t>& values) {
  return values.empty() ? 1 : *std::max_element(values.begin(), values.end());
}

// Why the layer cannot be quantized; "" if it can.
std::string obstacle(const Network& network, const Node& node, const std::vector<std::vector<int>>& readers,
                     const std::vector<int>& makers) {
  const int input = models::weight_input(network, node);
  const ValueId weight = input < 0 ? models::kNoValue : node.inputs[static_cast<std::size_t>(input)];
  if (const Node* dequantize = dequantized_weight(network, node, makers)) {
    return "it is quantized already: its weight comes through '" + dequantize->name + "' (DequantizeLinear)";
  }
  if (weight == models::kNoValue || !network.is_constant(weight)) return "its weight is computed while the network runs";
  const models::DataType type = network.constants.at(weight).type();
  if (type != models::DataType::kFloat32) return std::string("its weight is stored as ") + models::to_string(type) + ", not float32";
  for (const int reader : readers[static_cast<std::size_t>(weight)]) {
    const Node& other = network.nodes[static_cast<std::size_t>(reader)];
    const int other_input = models::weight_input(network, other);
    if (other_input < 0 || other.inputs[static_cast<std::size_t>(other_input)] != weight) {
      return "its weight is also read by '" + other.name + "' (" + other.op + "), which is not a layer";
    }
  }
  if (std::find(network.outputs.begin(), network.outputs.end(), weight) != network.outputs.end()) return "its weight is a network output";
  return "";
}

void describe_convolution(const Network& network, const Node& node, LayerInfo& layer) {
  const models::ConvAttributes attributes = models::conv_attributes(network, node);
  layer.in_channels = network.value(node.inputs[0]).shape[1];
  layer.out_channels = network.value(node.outputs[0]).shape[1];
  layer.kernel = largest(attributes.kernel);
  layer.stride = largest(attributes.strides);
  layer.groups = attributes.group;
}

// Gemm and MatMul: extents of the two operands' shared axis and of the axis that the weight makes.
void describe_product(const Network& network, const Node& node, LayerInfo& layer) {
  const bool transpose_a = node.op == "Gemm" && models::gemm_attributes(node).transpose_a;
  const models::Shape& a = network.value(node.inputs[0]).shape;
  const models::Shape& y = network.value(node.outputs[0]).shape;
  const bool weight_is_first = models::weight_input(network, node) == 0;
  layer.in_channels = a.empty() ? 1 : (transpose_a ? a[a.size() - 2] : a.back());
  layer.out_channels = 1;
  if (!weight_is_first && !y.empty()) layer.out_channels = y.back();
  if (weight_is_first && y.size() >= 2) layer.out_channels = y[y.size() - 2];
  layer.kernel = layer.stride = layer.groups = 1;
}

std::int64_t parameters_of(const Network& network, const Node& node) {
  std::int64_t elements = 0;
  for (const ValueId input : node.inputs) {
    if (input != models::kNoValue && network.is_constant(input)) elements += network.constants.at(input).size();
  }
  return elements;
}

}  // namespace

bool is_layer(const Network& network, const Node& node) {
  if (!node.domain.empty()) return false;
  return node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm" || models::weight_input(network, node) >= 0;
}

std::vector<LayerInfo> describe_layers(const Network& network) {
  const auto readers = models::consumers(network);
  const std::vector<int> makers = models::producers(network);
  std::vector<LayerInfo> layers;
  for (std::size_t i = 0; i < network.nodes.size(); ++i) {
    const Node& node = network.nodes[i];
    if (!is_layer(network, node)) continue;
    LayerInfo layer{};
    layer.node = static_cast<int>(i);
    layer.name = node.name;
    layer.op = node.op;
    layer.macs = models::macs(network, node);
    layer.parameters = parameters_of(network, node);
    layer.input_elements = sample_elements(network, node.inputs[models::weight_input(network, node) == 0 ? 1 : 0]);
    layer.output_elements = sample_elements(network, node.outputs[0]);
    if (node.op == "Conv" || node.op == "ConvTranspose") {
      describe_convolution(network, node, layer);
    } else {
      describe_product(network, node, layer);
    }
    layer.reason = obstacle(network, node, readers, makers);
    layer.quantizable = layer.reason.empty();
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace lathe::policies
