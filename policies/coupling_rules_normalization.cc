// Normalizations, pooling and reductions: what works within a channel passes it on, what mixes channels freezes them.
#include <algorithm>
#include <set>

#include "policies/coupling_rules.h"

namespace lathe::policies {
namespace {

using models::Node;
using models::ValueId;

std::string normalizes(const Node& node) {
  return "normalized over by " + quoted(node);
}

// y = (x - mean) / sqrt(var + eps) * scale + bias, all four along axis 1: zero where masked, whatever x is.
void batch_normalization(CouplingPropagation& p, const Node& node) {
  ValueState output = p.state(node.inputs[0]);
  output[1].is_zero = true;
  for (std::size_t k = 1; k < node.inputs.size(); ++k) {
    const AxisState& parameter = p.at(node.inputs[k], 0);
    p.algebra().unify(output[1].expression, parameter.expression, "parameters of " + quoted(node));
    if (k <= 2) output[1].is_zero = output[1].is_zero && parameter.is_zero;
  }
  for (std::size_t i = 0; i < output.size(); ++i) {
    if (i != 1) output[i].is_zero = false;
  }
  p.set(node.outputs[0], std::move(output));
}

// Statistics over the spatial axes of each channel.
void instance_normalization(CouplingPropagation& p, const Node& node) {
  const ValueId x = node.inputs[0];
  for (std::int64_t axis = 2; axis < p.rank(x); ++axis) p.freeze(x, axis, normalizes(node));
  batch_normalization(p, node);
}

// Freezes axes [first, rank) of x; the others pass.
void normalize_from(CouplingPropagation& p, const Node& node, std::int64_t first, std::int64_t last) {
  const ValueId x = node.inputs[0];
  for (std::int64_t axis = first; axis <= last; ++axis) p.freeze_channels(x, axis, normalizes(node));
  ValueState output = p.state(x);
  for (AxisState& axis : output) axis.is_zero = false;
  p.set(node.outputs[0], std::move(output));
}

// Before opset 13 softmax flattens all axes from `axis` on (default 1) and normalizes over them together.
void softmax(CouplingPropagation& p, const Node& node) {
  const bool is_flattening = p.network().opset < 13;
  const std::int64_t rank = p.rank(node.inputs[0]);
  const auto axis = static_cast<std::int64_t>(normalized_axis(models::int_attribute(node, "axis", is_flattening ? 1 : -1), rank));
  normalize_from(p, node, axis, is_flattening ? rank - 1 : axis);
}

void layer_normalization(CouplingPropagation& p, const Node& node) {
  const std::int64_t rank = p.rank(node.inputs[0]);
  for (std::size_t k = 1; k < node.inputs.size(); ++k) {
    if (has_input(node, k)) p.freeze_all(node.inputs[k], normalizes(node));
  }
  for (std::size_t k = 1; k < node.outputs.size(); ++k) {
    if (node.outputs[k] != models::kNoValue) return opaque_rule(p, node);
  }
  normalize_from(p, node, static_cast<std::int64_t>(normalized_axis(models::int_attribute(node, "axis", -1), rank)), rank - 1);
}

// Across neighbouring channels.
void local_response_normalization(CouplingPropagation& p, const Node& node) {
  normalize_from(p, node, 1, 1);
}

void lp_normalization(CouplingPropagation& p, const Node& node) {
  const auto axis = static_cast<std::int64_t>(normalized_axis(models::int_attribute(node, "axis", -1), p.rank(node.inputs[0])));
  normalize_from(p, node, axis, axis);
}

// Batch and channels pass; a window of zeros gives zero.
void pooling(CouplingPropagation& p, const Node& node) {
  if (node.outputs.size() > 1) return opaque_rule(p, node);
  const ValueId x = node.inputs[0];
  ValueState output{p.at(x, 0), p.at(x, 1)};
  for (std::int64_t axis = 2; axis < p.rank(x); ++axis) {
    p.freeze(x, axis, "spatial positions pooled by " + quoted(node));
    output.push_back(p.fixed_axis(node.outputs[0], axis, "spatial positions of " + quoted(node)));
  }
  p.set(node.outputs[0], std::move(output));
}

// x - mean(x) next to a mean is how exporters spell a normalization.
bool is_spelled_normalization(const CouplingPropagation& p, const Node& node) {
  return std::any_of(p.network().nodes.begin(), p.network().nodes.end(), [&](const Node& other) {
    return other.op == "Sub" && other.inputs[0] == node.inputs[0] && other.inputs[1] == node.outputs[0];
  });
}

std::string reduction_reason(const CouplingPropagation& p, const Node& node) {
  if (node.op != "ReduceMean") return "reduced by " + quoted(node);
  if (is_spelled_normalization(p, node)) return normalizes(node) + " of a LayerNormalization that is spelled out";
  return "averaged over by " + quoted(node);
}

std::set<std::size_t> reduced_axes(const CouplingPropagation& p, const Node& node) {
  const std::int64_t rank = p.rank(node.inputs[0]);
  std::vector<std::int64_t> axes = models::ints_attribute(node, "axes", {});
  if (is_constant_input(p.network(), node, 1)) axes = integers(p.network(), node.inputs[1]);
  std::set<std::size_t> result;
  for (const std::int64_t axis : axes) result.insert(normalized_axis(axis, rank));
  if (axes.empty() && models::int_attribute(node, "noop_with_empty_axes", 0) == 0) {
    for (std::int64_t axis = 0; axis < rank; ++axis) result.insert(static_cast<std::size_t>(axis));
  }
  return result;
}

// A sum over a prunable axis stays what it is as long as masked channels are zero; other reductions see the zeros.
void reduction(CouplingPropagation& p, const Node& node) {
  static const std::set<std::string> kSums = {"ReduceSum", "ReduceL1", "ReduceL2", "ReduceSumSquare"};
  static const std::set<std::string> kKeepZero = {"ReduceSum",  "ReduceL1",  "ReduceL2", "ReduceSumSquare",
                                                  "ReduceMean", "ReduceMax", "ReduceMin"};
  if (has_input(node, 1) && !is_constant_input(p.network(), node, 1)) return opaque_rule(p, node);
  const ValueId x = node.inputs[0];
  const std::set<std::size_t> axes = reduced_axes(p, node);
  const bool keeps_rank = models::int_attribute(node, "keepdims", 1) != 0;
  ValueState output;
  for (std::size_t i = 0; i < p.state(x).size(); ++i) {
    AxisState axis = p.state(x)[i];
    if (axes.contains(i)) {
      if (!kSums.contains(node.op)) p.freeze_channels(x, static_cast<std::int64_t>(i), reduction_reason(p, node));
      if (!p.zero_or_whole(axis))
        p.algebra().freeze(axis.expression, "summed over by " + quoted(node) + ", where a removed channel might not be zero");
      if (keeps_rank) output.push_back({.expression = {{}}, .is_zero = false});
      continue;
    }
    axis.is_zero = axis.is_zero && kKeepZero.contains(node.op);
    output.push_back(std::move(axis));
  }
  p.set(node.outputs[0], std::move(output));
}

void arg_reduction(CouplingPropagation& p, const Node& node) {
  const ValueId x = node.inputs[0];
  const std::size_t reduced = normalized_axis(models::int_attribute(node, "axis", 0), p.rank(x));
  const bool keeps_rank = models::int_attribute(node, "keepdims", 1) != 0;
  p.freeze(x, static_cast<std::int64_t>(reduced), "compared by " + quoted(node));
  ValueState output;
  for (std::size_t i = 0; i < p.state(x).size(); ++i) {
    if (i != reduced) output.push_back({.expression = p.state(x)[i].expression, .is_zero = false});
    if (i == reduced && keeps_rank) output.push_back({.expression = {{}}, .is_zero = false});
  }
  p.set(node.outputs[0], std::move(output));
}

void cumulative_sum(CouplingPropagation& p, const Node& node) {
  if (!is_constant_input(p.network(), node, 1)) return opaque_rule(p, node);
  const auto axis = static_cast<std::int64_t>(normalized_axis(integers(p.network(), node.inputs[1])[0], p.rank(node.inputs[0])));
  const std::string reason = "summed along by " + quoted(node);
  p.freeze(node.inputs[0], axis, reason);
  p.set(node.outputs[0], p.state(node.inputs[0]));
}

// A triangle of the last two axes, which therefore stay as they are.
void triangle(CouplingPropagation& p, const Node& node) {
  const ValueId x = node.inputs[0];
  for (const std::int64_t axis : {-2, -1}) p.freeze(x, axis, "cut to a triangle by " + quoted(node));
  p.set(node.outputs[0], p.state(x));
}

}  // namespace

void add_normalization_rules(CouplingRules& rules) {
  rules["BatchNormalization"] = batch_normalization;
  rules["InstanceNormalization"] = instance_normalization;
  rules["LayerNormalization"] = layer_normalization;
  rules["LpNormalization"] = lp_normalization;
  rules["LRN"] = local_response_normalization;
  for (const char* op : {"Softmax", "LogSoftmax", "Hardmax"}) rules[op] = softmax;
  for (const char* op : {"MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"}) rules[op] = pooling;
  for (const char* op : {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
                         "ReduceLogSum", "ReduceLogSumExp"}) {
    rules[op] = reduction;
  }
  rules["ArgMax"] = rules["ArgMin"] = arg_reduction;
  rules["CumSum"] = cumulative_sum;
  rules["Trilu"] = triangle;
}

}  // namespace lathe::policies
