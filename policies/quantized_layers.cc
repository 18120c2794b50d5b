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

std::int64_t count_zeros(const Network& network, const StoredWeight& weight) {
  const Tensor& values = network.constants.at(weight.constant);
  if (weight.zero_point != models::kNoValue) {
    const std::int64_t axis = models::int_attribute(*weight.dequantize, "axis", 1);
    return count_zero_points(values, network.constants.at(weight.zero_point), axis < 0 ? axis + values.rank() : axis);
  }
  const std::vector<float> numbers = values.to_floats();
  return std::count(numbers.begin(), numbers.end(), 0.0F);
}

// From a node's operand back to a constant of two axes or more.
std::optional<StoredWeight> stored_behind(const Network& network, const Node& node, int operand, const std::vector<int>& makers) {
  StoredWeight weight{.constant = node.inputs[static_cast<std::size_t>(operand)], .operand = operand};
  const auto constant_input = [&](const Node& from, std::size_t input) {
    return input < from.inputs.size() && network.is_constant(from.inputs[input]) ? from.inputs[input] : models::kNoValue;
  };
  while (!network.is_constant(weight.constant)) {
    const int maker = makers[static_cast<std::size_t>(weight.constant)];
    if (maker < 0) return std::nullopt;
    const Node& from = network.nodes[static_cast<std::size_t>(maker)];
    if (from.op == "DequantizeLinear") {
      weight.dequantize = &from;
      weight.zero_point = constant_input(from, 2);
    }
    const bool is_scaled = from.op == "DequantizeLinear" || from.op == "Mul";
    if (is_scaled) weight.scale = constant_input(from, 1);
    if (is_scaled ? weight.scale == models::kNoValue : from.op != "Cast") return std::nullopt;
    weight.constant = from.inputs[0];
  }
  if (network.constants.at(weight.constant).rank() < 2) return std::nullopt;
  return weight;
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

std::optional<StoredWeight> stored_weight(const Network& network, const Node& node, const std::vector<int>& makers) {
  if (!node.domain.empty()) return std::nullopt;
  if (node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm") return stored_behind(network, node, 1, makers);
  if (node.op == "MatMul") {
    const auto second = stored_behind(network, node, 1, makers);
    return second ? second : stored_behind(network, node, 0, makers);
  }
  const bool is_table = node.op == "Gather" && models::int_attribute(node, "axis", 0) == 0 &&
                        network.value(node.inputs[0]).type == models::DataType::kFloat32;
  return is_table ? stored_behind(network, node, 0, makers) : std::nullopt;
}

std::optional<double> share_of_zeros(const Network& network, const Node& layer, const std::vector<int>& makers) {
  const std::optional<StoredWeight> weight = stored_weight(network, layer, makers);
  if (!weight || network.constants.at(weight->constant).size() == 0) return std::nullopt;
  return static_cast<double>(count_zeros(network, *weight)) / static_cast<double>(network.constants.at(weight->constant).size());
}

}  // namespace lathe::policies
