#include "policies/quantized_layers.h"

#include <algorithm>
#include <set>
#include <string>

#include "models/operators.h"

namespace lathe::policies {

using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;

namespace {

// Elements that equal the zero point of their place along `axis`.
std::int64_t count_zero_points(const Tensor& levels, const Tensor& zero_points, std::int64_t axis) {
  const std::vector<std::int64_t> values = levels.to_int64s(), zeros = zero_points.to_int64s();
  std::int64_t inner = 1;
  for (auto i = static_cast<std::size_t>(axis) + 1; i < levels.shape().size(); ++i) inner *= levels.shape()[i];
  std::int64_t count = 0;
  for (std::size_t i = 0; i < values.size(); ++i) count += values[i] == zeros[i / static_cast<std::size_t>(inner) % zeros.size()] ? 1 : 0;
  return count;
}

std::int64_t count_zeros(const Network& network, const Node* dequantize, ValueId weight) {
  const Tensor& values = network.constants.at(weight);
  if (dequantize != nullptr && dequantize->inputs.size() > 2 && network.is_constant(dequantize->inputs[2])) {
    const std::int64_t axis = models::int_attribute(*dequantize, "axis", 1);
    return count_zero_points(values, network.constants.at(dequantize->inputs[2]), axis < 0 ? axis + values.rank() : axis);
  }
  const std::vector<float> numbers = values.to_floats();
  return std::count(numbers.begin(), numbers.end(), 0.0F);
}

}  // namespace

const Node* dequantized_weight(const Network& network, const Node& node, const std::vector<int>& makers) {
  static const std::set<std::string> kProducts = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
  if (!kProducts.contains(node.op) || !node.domain.empty()) return nullptr;
  const int maker = makers[static_cast<std::size_t>(node.inputs[1])];
  if (maker < 0) return nullptr;
  const Node& made_by = network.nodes[static_cast<std::size_t>(maker)];
  return made_by.op == "DequantizeLinear" && network.is_constant(made_by.inputs[0]) ? &made_by : nullptr;
}

std::int64_t count_quantized_layers(const Network& network) {
  const std::vector<int> makers = models::producers(network);
  return std::count_if(network.nodes.begin(), network.nodes.end(),
                       [&](const Node& node) { return dequantized_weight(network, node, makers) != nullptr; });
}

std::optional<double> share_of_zeros(const Network& network, const Node& layer, const std::vector<int>& makers) {
  const int input = models::weight_input(network, layer);
  ValueId weight = layer.inputs[static_cast<std::size_t>(input < 0 ? 1 : input)];
  const Node* dequantize = nullptr;
  while (!network.is_constant(weight)) {
    const int maker = makers[static_cast<std::size_t>(weight)];
    if (maker < 0) return std::nullopt;
    const Node& node = network.nodes[static_cast<std::size_t>(maker)];
    if (node.op != "DequantizeLinear" && node.op != "Cast" && node.op != "Mul") return std::nullopt;
    if (node.op == "DequantizeLinear") dequantize = &node;
    weight = node.inputs[0];
  }
  const std::int64_t elements = network.constants.at(weight).size();
  if (elements == 0) return std::nullopt;
  return static_cast<double>(count_zeros(network, dequantize, weight)) / static_cast<double>(elements);
}

}  // namespace lathe::policies
