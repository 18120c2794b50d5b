#include "policies/coupling_rules.h"

namespace lathe::policies {

void opaque_rule(CouplingPropagation& propagation, const models::Node& node) {
  const std::string reason = "used by " + quoted(node) + ", through which channels cannot be followed";
  for (const models::ValueId id : node.inputs) {
    if (id != models::kNoValue) propagation.freeze_all(id, reason);
  }
  for (const models::ValueId id : node.outputs) {
    if (id == models::kNoValue) continue;
    ValueState state;
    const std::size_t rank = propagation.network().value(id).shape.size();
    for (std::size_t i = 0; i < rank; ++i) state.push_back(propagation.fixed_axis(id, static_cast<std::int64_t>(i), reason));
    propagation.set(id, std::move(state));
  }
}

CouplingRule rule_of(const models::Node& node) {
  static const CouplingRules rules = [] {
    CouplingRules all;
    add_layer_rules(all);
    add_elementwise_rules(all);
    add_normalization_rules(all);
    add_shape_rules(all);
    add_indexing_rules(all);
    add_token_rules(all);
    return all;
  }();
  const auto found = rules.find(node.op);
  return found == rules.end() ? opaque_rule : found->second;
}

}  // namespace lathe::policies
