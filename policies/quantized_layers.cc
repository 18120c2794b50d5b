#include "policies/quantized_layers.h"

#include <algorithm>
#include <set>
#include <string>

namespace lathe::policies {

using models::Network;
using models::Node;

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

}  // namespace lathe::policies
