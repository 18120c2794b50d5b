#include "policies/operator_classes.h"

#include <algorithm>
#include <set>
#include <string>

namespace lathe::policies {
namespace {

using models::Node;
using Words = std::set<std::string>;

bool is_one_of(const Node& node, const Words& words) {
  return node.domain.empty() && words.contains(node.op);
}

// Pad that adds zeros: constant mode, and a value that is absent or zero.
bool pads_zeros(const models::Network& network, const Node& node) {
  if (models::string_attribute(node, "mode", "constant") != "constant") return false;
  if (node.inputs.size() < 3 || node.inputs[2] == models::kNoValue) return true;
  const auto value = network.constants.find(node.inputs[2]);
  if (value == network.constants.end() || value->second.size() != 1) return false;
  return value->second.to_floats().front() == 0.0F;
}

}  // namespace

bool is_view(const Node& node) {
  static const Words kViews{"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"};
  return is_one_of(node, kViews);
}

bool is_pointwise(const Node& node) {
  static const Words kPointwise{"Relu",
                                "LeakyRelu",
                                "PRelu",
                                "Clip",
                                "Sigmoid",
                                "HardSigmoid",
                                "HardSwish",
                                "Tanh",
                                "Elu",
                                "Selu",
                                "Celu",
                                "Softplus",
                                "Softsign",
                                "ThresholdedRelu",
                                "Mish",
                                "Gelu",
                                "Erf",
                                "Exp",
                                "Log",
                                "Sqrt",
                                "Reciprocal",
                                "Abs",
                                "Neg",
                                "Floor",
                                "Ceil",
                                "Round",
                                "Sign",
                                "Sin",
                                "Cos",
                                "Pow",
                                "Add",
                                "Sub",
                                "Mul",
                                "Div",
                                "Min",
                                "Max",
                                "Sum",
                                "Mean",
                                "Mod",
                                "Where",
                                "Cast",
                                "Equal",
                                "Greater",
                                "GreaterOrEqual",
                                "Less",
                                "LessOrEqual",
                                "Not",
                                "And",
                                "Or",
                                "Xor",
                                "BatchNormalization",
                                "QuantizeLinear",
                                "DequantizeLinear"};
  return is_one_of(node, kPointwise) || (node.domain == models::kLatheDomain && (node.op == "FakeQuantize" || node.op == "DynamicFakeQuantize"));
}

bool is_pool(const Node& node) {
  static const Words kPools{"MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"};
  return is_one_of(node, kPools);
}

bool is_reduction(const Node& node) {
  static const Words kReductions{"Softmax",
                                 "LogSoftmax",
                                 "Hardmax",
                                 "LayerNormalization",
                                 "InstanceNormalization",
                                 "GroupNormalization",
                                 "LpNormalization",
                                 "LRN",
                                 "ArgMax",
                                 "ArgMin",
                                 "TopK",
                                 "CumSum"};
  return is_one_of(node, kReductions) || (node.domain.empty() && node.op.starts_with("Reduce"));
}

bool is_product(const Node& node) {
  static const Words kProducts{"Conv", "ConvTranspose", "Gemm", "MatMul"};
  return is_one_of(node, kProducts);
}

bool copies_elements(const models::Network& network, const Node& node) {
  static const Words kCopies{"Transpose", "Slice", "Split", "MaxPool", "GlobalMaxPool", "DepthToSpace", "SpaceToDepth", "Expand", "Tile"};
  if (node.op == "Pad" && node.domain.empty()) return pads_zeros(network, node);
  return is_view(node) || is_one_of(node, kCopies);
}

std::vector<bool> static_values(const models::Network& network) {
  std::vector<bool> is_static(network.values.size(), false);
  for (const auto& [id, tensor] : network.constants) is_static[static_cast<std::size_t>(id)] = true;
  for (const Node& node : network.nodes) {
    const bool all = std::all_of(node.inputs.begin(), node.inputs.end(),
                                 [&](models::ValueId id) { return id == models::kNoValue || is_static[static_cast<std::size_t>(id)]; });
    for (const models::ValueId output : node.outputs) {
      if (output != models::kNoValue) is_static[static_cast<std::size_t>(output)] = all;
    }
  }
  return is_static;
}

std::vector<models::ValueId> computed_inputs(const Node& node, const std::vector<bool>& is_static) {
  std::vector<models::ValueId> inputs;
  for (const models::ValueId id : node.inputs) {
    if (id == models::kNoValue || is_static[static_cast<std::size_t>(id)]) continue;
    if (std::find(inputs.begin(), inputs.end(), id) == inputs.end()) inputs.push_back(id);
  }
  return inputs;
}

}  // namespace lathe::policies
