#include "policies/mask_fill.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>

namespace lathe::policies {
namespace {

// Whether a stored 0 stands for the number 0.
bool zero_is_exact(const models::Network& network, const models::Node& node) {
  if (node.inputs.size() < 3 || node.inputs[2] == models::kNoValue) return true;
  if (!network.is_constant(node.inputs[2])) return false;
  const std::vector<std::int64_t> zero_points = network.constants.at(node.inputs[2]).to_int64s();
  return std::all_of(zero_points.begin(), zero_points.end(), [](std::int64_t zero_point) { return zero_point == 0; });
}

MaskFill fill_for_use(const models::Network& network, const models::Node& node, std::size_t input) {
  if (node.op == "DequantizeLinear" && !zero_is_exact(network, node)) return MaskFill::kUnchanged;
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
      const MaskFill wanted = fill_for_use(network, node, i);
      fill = fill && *fill != wanted ? MaskFill::kUnchanged : wanted;
    }
  }
  std::vector<MaskFill> result;
  for (const std::optional<MaskFill>& fill : fills) result.push_back(fill.value_or(MaskFill::kUnchanged));
  return result;
}

}  // namespace lathe::policies
