#include "policies/mask_fill.h"

#include <optional>
#include <set>
#include <string>

namespace lathe::policies {
namespace {

MaskFill fill_for_use(const models::Node& node, std::size_t input) {
  if (node.op == "BatchNormalization") return input == 4 ? MaskFill::kOne : MaskFill::kZero;
  if (node.op == "Div" || node.op == "Pow" || node.op == "Mod") return input == 0 ? MaskFill::kZero : MaskFill::kUnchanged;
  static const std::set<std::string> kScaled = {"FakeQuantize", "QuantizeLinear", "DequantizeLinear"};
  if (kScaled.contains(node.op)) return input == 0 ? MaskFill::kZero : MaskFill::kUnchanged;
  static const std::set<std::string> kUndefinedAtZero = {"Log", "Reciprocal"};
  return kUndefinedAtZero.contains(node.op) ? MaskFill::kUnchanged : MaskFill::kZero;
}

}  // namespace

std::vector<MaskFill> mask_fills(const models::Network& network) {
  std::vector<std::optional<MaskFill>> fills(network.values.size());
  for (const models::Node& node : network.nodes) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const models::ValueId id = node.inputs[i];
      if (id == models::kNoValue || !network.is_constant(id)) continue;
      std::optional<MaskFill>& fill = fills[static_cast<std::size_t>(id)];
      const MaskFill wanted = fill_for_use(node, i);
      fill = fill && *fill != wanted ? MaskFill::kUnchanged : wanted;
    }
  }
  std::vector<MaskFill> result;
  for (const std::optional<MaskFill>& fill : fills) result.push_back(fill.value_or(MaskFill::kUnchanged));
  return result;
}

}  // namespace lathe::policies
