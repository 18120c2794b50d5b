// Convolutions, matrix products and Einstein sums.
#include <algorithm>
#include <map>
#include <string>

#include "models/operators.h"
#include "policies/coupling_rules.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;

void freeze_spatial(CouplingPropagation& p, const Node& node, models::ValueId id) {
  for (std::int64_t axis = 2; axis < p.rank(id); ++axis) p.freeze(id, axis, "spatial positions seen by " + quoted(node));
}

// Output of a convolution: [batch of x, channels, spatial...].
ValueState convolution_output(CouplingPropagation& p, const Node& node, AxisState channels) {
  const models::ValueId y = node.outputs[0];
  const AxisState& batch = p.at(node.inputs[0], 0);
  ValueState state{batch, std::move(channels)};
  const auto rank = static_cast<std::int64_t>(p.network().value(y).shape.size());
  for (std::int64_t axis = 2; axis < rank; ++axis) {
    state.push_back(p.fixed_axis(y, axis, "spatial positions of " + quoted(node)));
  }
  return state;
}

// Couples the bias with the output channels and returns these. They are zero when masked if weights and bias are.
AxisState with_bias(CouplingPropagation& p, const Node& node, Axis channels, bool is_zero) {
  if (has_input(node, 2)) {
    const AxisState& bias = p.at(node.inputs[2], 0);
    p.algebra().unify(bias.expression, channels, "bias of " + quoted(node));
    is_zero = is_zero && bias.is_zero;
  }
  return {.expression = std::move(channels), .is_zero = is_zero};
}

// Weights [G * Ko, Ki, k...] read channels [G * Ki]. Depthwise is Ki = 1; an ungrouped convolution is G = 1.
void conv(CouplingPropagation& p, const Node& node) {
  const models::ValueId x = node.inputs[0], w = node.inputs[1];
  freeze_spatial(p, node, x);
  freeze_spatial(p, node, w);
  const std::int64_t group = models::int_attribute(node, "group", 1);
  const AxisState filters = p.at(w, 0), depth = p.at(w, 1), data = p.at(x, 1);
  if (group > 1) {
    AxisAlgebra& algebra = p.algebra();
    const Axis groups = algebra.fresh(group), per_group = algebra.fresh(extent(filters.expression) / group);
    const std::string reason = "the groups of " + quoted(node) + " do not fit the channels that it reads";
    algebra.unify(data.expression, algebra.multiply(std::vector<Axis>{groups, depth.expression}), reason);
    algebra.unify(filters.expression, algebra.multiply(std::vector<Axis>{groups, per_group}), reason);
    algebra.hint(groups, "groups");
    algebra.hint(per_group, "width");
    algebra.hint(depth.expression, "width");
    if (!p.zero_or_whole(depth) && !p.zero_or_whole(data)) p.freeze(w, 1, "read by " + quoted(node) + " together with what must stay");
  } else {
    p.contract(data, depth, node);
  }
  p.add_layer(node, filters.expression, data.expression);
  p.set(node.outputs[0], convolution_output(p, node, with_bias(p, node, filters.expression, filters.is_zero)));
}

// Weights [G * Ki, Ko, k...] make channels [G * Ko].
void conv_transpose(CouplingPropagation& p, const Node& node) {
  const models::ValueId x = node.inputs[0], w = node.inputs[1];
  freeze_spatial(p, node, x);
  freeze_spatial(p, node, w);
  const std::int64_t group = models::int_attribute(node, "group", 1);
  const AxisState filters = p.at(w, 0), depth = p.at(w, 1), data = p.at(x, 1);
  Axis channels = depth.expression;
  if (group > 1) {
    AxisAlgebra& algebra = p.algebra();
    const Axis groups = algebra.fresh(group), per_group = algebra.fresh(extent(filters.expression) / group);
    algebra.unify(filters.expression, algebra.multiply(std::vector<Axis>{groups, per_group}), "groups of " + quoted(node));
    channels = algebra.multiply(std::vector<Axis>{groups, depth.expression});
    algebra.hint(groups, "groups");
    algebra.hint(per_group, "width");
    algebra.hint(depth.expression, "width");
  }
  p.contract(data, filters, node);
  const bool is_zero = depth.is_zero && (group == 1 || filters.is_zero);
  p.add_layer(node, channels, data.expression);
  p.set(node.outputs[0], convolution_output(p, node, with_bias(p, node, channels, is_zero)));
}

// Y [M, N] = A' [M, K] B' [K, N] + C, where C broadcasts.
void gemm(CouplingPropagation& p, const Node& node) {
  const models::GemmAttributes attributes = models::gemm_attributes(node);
  const models::ValueId a = node.inputs[0], b = node.inputs[1];
  const AxisState rows = p.at(a, attributes.transpose_a ? 1 : 0), inner_a = p.at(a, attributes.transpose_a ? 0 : 1);
  const AxisState inner_b = p.at(b, attributes.transpose_b ? 1 : 0), columns = p.at(b, attributes.transpose_b ? 0 : 1);
  p.contract(inner_a, inner_b, node);
  ValueState output{rows, columns};
  if (has_input(node, 2)) {
    const models::ValueId c = node.inputs[2];
    const std::int64_t rank = p.rank(c);
    for (std::int64_t i = 1; i <= 2; ++i) {  // from the last axis
      AxisState& axis = output[static_cast<std::size_t>(2 - i)];
      const bool broadcasts = i > rank || p.extent_at(c, -i) == 1;
      if (!broadcasts) p.algebra().unify(p.at(c, -i).expression, axis.expression, "bias of " + quoted(node));
      axis.is_zero = axis.is_zero && !broadcasts && p.at(c, -i).is_zero;
    }
  }
  p.add_layer(node, columns.expression, inner_a.expression);
  p.set(node.outputs[0], std::move(output));
}

// One batch axis of a product, broadcast like numpy: a masked batch entry of either operand makes the product zero.
AxisState batch_axis(CouplingPropagation& p, const Node& node, std::int64_t from_last) {
  AxisState result{.expression = {{}}, .is_zero = false};
  bool is_first = true;
  for (const models::ValueId id : {node.inputs[0], node.inputs[1]}) {
    if (from_last > p.rank(id) || p.extent_at(id, -from_last) == 1) continue;
    const AxisState& axis = p.at(id, -from_last);
    if (is_first) {
      result = axis;
    } else {
      p.algebra().unify(result.expression, axis.expression, "batch axes of " + quoted(node));
      result.is_zero = result.is_zero || axis.is_zero;
    }
    is_first = false;
  }
  return result;
}

// Numpy's product: [..., M, K] x [..., K, N]; a vector takes part as [1, K] or [K, 1], which is left out of the result.
void matmul(CouplingPropagation& p, const Node& node) {
  const models::ValueId a = node.inputs[0], b = node.inputs[1];
  const std::int64_t rank_a = p.rank(a), rank_b = p.rank(b);
  const AxisState inner_a = p.at(a, -1), inner_b = p.at(b, rank_b == 1 ? -1 : -2);
  p.contract(inner_a, inner_b, node);
  ValueState output;
  for (std::int64_t i = std::max(rank_a, rank_b); i > 2; --i) output.push_back(batch_axis(p, node, i));
  const bool is_attention = !p.network().is_constant(a) && !p.network().is_constant(b);
  if (is_attention) {
    for (const AxisState& axis : output) p.algebra().hint(axis.expression, "heads");
    p.algebra().hint(inner_a.expression, "width");
  }
  if (rank_a > 1) output.push_back(p.at(a, -2));
  if (rank_b > 1) output.push_back(p.at(b, -1));
  if (is_attention && rank_b > 1) p.algebra().hint(output.back().expression, "width");
  const int weight = models::weight_input(p.network(), node);
  if (weight == 1) p.add_layer(node, p.at(b, -1).expression, inner_a.expression);
  if (weight == 0) p.add_layer(node, p.at(a, -2).expression, inner_b.expression);
  p.set(node.outputs[0], std::move(output));
}

// "bhqd,bhkd->bhqk" as {"bhqd", "bhkd"} and "bhqk"; empty where the equation uses an ellipsis, a diagonal or no arrow.
struct EinsumEquation {
  std::vector<std::string> operands;
  std::string output;
};

EinsumEquation parse_einsum(std::string equation) {
  std::erase(equation, ' ');
  const std::size_t arrow = equation.find("->");
  if (arrow == std::string::npos || equation.find('.') != std::string::npos) return {};
  EinsumEquation result{.operands = {""}, .output = equation.substr(arrow + 2)};
  for (const char letter : equation.substr(0, arrow)) {
    if (letter == ',') {
      result.operands.emplace_back();
    } else if (result.operands.back().find(letter) != std::string::npos) {
      return {};
    } else {
      result.operands.back() += letter;
    }
  }
  return result;
}

// Axes of one letter are one; a letter that the output lacks is summed over, as in `contract`.
void einsum(CouplingPropagation& p, const Node& node) {
  const EinsumEquation equation = parse_einsum(models::string_attribute(node, "equation", ""));
  if (equation.operands.size() != node.inputs.size()) return opaque_rule(p, node);
  std::map<char, AxisState> axes;
  for (std::size_t k = 0; k < node.inputs.size(); ++k) {
    for (std::size_t i = 0; i < equation.operands[k].size(); ++i) {
      const AxisState& axis = p.at(node.inputs[k], static_cast<std::int64_t>(i));
      const auto [found, is_new] = axes.try_emplace(equation.operands[k][i], axis);
      if (is_new) continue;
      p.algebra().unify(found->second.expression, axis.expression, "operands of " + quoted(node));
      found->second.is_zero = found->second.is_zero || axis.is_zero;
    }
  }
  // As in attention: what all operands share and the output keeps are heads.
  for (const auto& [letter, axis] : axes) {
    const auto has_letter = [letter = letter](const std::string& word) { return word.find(letter) != std::string::npos; };
    const bool is_batch = has_letter(equation.output) && std::all_of(equation.operands.begin(), equation.operands.end(), has_letter);
    p.algebra().hint(axis.expression, is_batch ? "heads" : "width");
  }
  ValueState output;
  for (const char letter : equation.output) output.push_back(axes.at(letter));
  for (const auto& [letter, axis] : axes) {
    if (equation.output.find(letter) == std::string::npos) p.contract(axis, axis, node);
  }
  p.set(node.outputs[0], std::move(output));
}

}  // namespace

void add_layer_rules(CouplingRules& rules) {
  rules["Conv"] = conv;
  rules["ConvTranspose"] = conv_transpose;
  rules["Gemm"] = gemm;
  rules["MatMul"] = matmul;
  rules["Einsum"] = einsum;
}

}  // namespace lathe::policies
