// The places where tokens can be dropped (token_selection.h).
#include <algorithm>

#include "models/operators.h"
#include "policies/coupling_rules.h"
#include "policies/token_selection.h"

namespace lathe::policies {
namespace {

using models::Node;
using models::ValueId;

// [N, heads, L, L] -> [N, 1, 1, L]
void token_scores(CouplingPropagation& p, const Node& node) {
  AxisState tokens = p.at(node.inputs[0], 3);
  tokens.is_zero = false;
  p.set(node.outputs[0], {p.at(node.inputs[0], 0), {.expression = {{}}}, {.expression = {{}}}, std::move(tokens)});
}

// The axis of tokens becomes a dimension of its own in all outputs; the others pass.
void select_tokens(CouplingPropagation& p, const Node& node) {
  constexpr std::size_t kScores = 1;
  const Axis before = p.at(node.inputs[kScores], 3).expression;
  const Axis after = p.algebra().selection(extent(before));
  for (std::size_t i = 0, output = 0; i < node.inputs.size(); ++i) {
    if (i == kScores) continue;
    ValueState state = p.state(node.inputs[i]);
    // `hidden` has its tokens on axis 1; of a companion that axis is the only one longer than 1 beside the batch.
    std::size_t axis = 1;
    while (i > kScores && extent(state[axis].expression) == 1) ++axis;
    p.algebra().unify(state[axis].expression, before, "tokens of " + quoted(node));
    state[axis] = {.expression = after, .is_zero = false};
    p.set(node.outputs[output++], std::move(state));
  }
}

void freeze_along_constants(CouplingPropagation& p) {
  for (const auto& [id, tensor] : p.network().constants) {
    for (const AxisState& axis : p.state(id)) {
      if (p.algebra().is_selection(axis.expression))
        p.algebra().freeze(axis.expression, "the constant \"" + p.network().value(id).name + "\" is laid out along the tokens");
    }
  }
}

bool is_one_dimension(CouplingPropagation& p, const Axis& axis) {
  const Axis resolved = p.algebra().resolve(axis);
  return resolved.size() == 1 && resolved[0].size() == 1 && p.algebra().is_selection(resolved);
}

}  // namespace

void add_token_rules(CouplingRules& rules) {
  rules[kTokenScores] = token_scores;
  rules[kSelectTokens] = select_tokens;
}

std::vector<TokenDimension> settle_tokens(CouplingPropagation& p) {
  std::vector<TokenDimension> found;
  std::string layer;
  for (const Node& node : p.network().nodes) {
    if (models::weight_input(p.network(), node) >= 0) layer = node.name;
    if (is_select_tokens(node)) found.push_back({.axis = p.at(node.outputs[0], 1).expression, .layer = layer});
  }
  freeze_along_constants(p);
  bool is_blocked = false;
  for (auto tokens = found.rbegin(); tokens != found.rend(); ++tokens) {
    if (is_blocked) p.algebra().freeze(tokens->axis, "a later part of the network needs all tokens");
    if (!is_one_dimension(p, tokens->axis)) {
      p.algebra().freeze(tokens->axis, "the tokens are not taken one by one behind it");
      is_blocked = true;
    }
  }
  return found;
}

}  // namespace lathe::policies
