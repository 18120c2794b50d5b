// Operators that put axes together, cut them, pad them or pick from them.
#include <algorithm>
#include <limits>

#include "policies/coupling_rules.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Node;
using models::ValueId;

void concat(CouplingPropagation& p, const Node& node) {
  const std::size_t axis = normalized_axis(models::int_attribute(node, "axis", 0), p.rank(node.inputs[0]));
  ValueState output = p.state(node.inputs[0]);
  for (std::size_t k = 1; k < node.inputs.size(); ++k) {
    const ValueState& part = p.state(node.inputs[k]);
    for (std::size_t i = 0; i < output.size(); ++i) {
      // The whole's masked channels are zero where those of all parts are.
      output[i].is_zero = p.zero_or_whole(output[i]) && p.zero_or_whole(part[i]);
      if (i == axis) {
        output[i].expression.insert(output[i].expression.end(), part[i].expression.begin(), part[i].expression.end());
      } else {
        p.algebra().unify(output[i].expression, part[i].expression, "operands of " + quoted(node));
      }
    }
  }
  if (p.network().value(node.outputs[0]).shape[axis] == kDynamic) {
    const std::string reason = "mixed with the batch by " + quoted(node);
    p.algebra().freeze(output[axis].expression, reason);
    output[axis] = p.fixed_axis(node.outputs[0], static_cast<std::int64_t>(axis), reason);
  }
  p.set(node.outputs[0], std::move(output));
}

void split(CouplingPropagation& p, const Node& node) {
  const ValueId x = node.inputs[0];
  const std::size_t axis = normalized_axis(models::int_attribute(node, "axis", 0), p.rank(x));
  if (p.extent_at(x, static_cast<std::int64_t>(axis)) == kDynamic) return opaque_rule(p, node);
  AxisState rest = p.at(x, static_cast<std::int64_t>(axis));
  for (const ValueId part : node.outputs) {
    if (part == models::kNoValue) return opaque_rule(p, node);
    auto [first, second] = p.algebra().split(rest.expression, p.network().value(part).shape[axis], "cut apart by " + quoted(node));
    ValueState output = p.state(x);
    output[axis] = {.expression = std::move(first), .is_zero = rest.is_zero};
    p.set(part, std::move(output));
    rest.expression = std::move(second);
  }
}

// One axis of a Slice, as ONNX reads it: clamped bounds and a step.
struct SliceRange {
  std::int64_t begin, end, step;
};

SliceRange clamped(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t size) {
  const auto from_front = [size](std::int64_t index) { return index < 0 ? index + size : index; };
  return {std::clamp<std::int64_t>(from_front(start), 0, size), std::clamp<std::int64_t>(from_front(end), 0, size), step};
}

// Picks a range, or every step-th index of a whole axis [K * step].
AxisState slice_axis(CouplingPropagation& p, const Node& node, const AxisState& axis, SliceRange range, std::size_t index) {
  AxisAlgebra& algebra = p.algebra();
  const ValueId y = node.outputs[0];
  const std::string reason = "sliced by " + quoted(node);
  if (!algebra.has_prunable(axis.expression)) return p.fixed_axis(y, static_cast<std::int64_t>(index), reason);
  const std::int64_t size = extent(axis.expression);
  const bool is_first = range.begin == 0 && range.end == 1 && range.step == 1;
  if (is_first && algebra.is_selection(axis.expression)) return {.expression = {{}}, .is_zero = false};  // which always stays
  if (range.step == 1 && range.begin < range.end) {
    const Axis head = algebra.split(axis.expression, range.end, reason).first;
    return {.expression = algebra.split(head, range.begin, reason).second, .is_zero = axis.is_zero};
  }
  const bool is_whole = range.step > 1 && size % range.step == 0 && range.begin < range.step && range.end > size - range.step + range.begin;
  if (is_whole) {
    const Axis picked = algebra.fresh(size / range.step);
    const Axis steps = algebra.fixed(range.step, reason);
    algebra.unify(axis.expression, algebra.multiply(std::vector<Axis>{picked, steps}), reason);
    return {.expression = algebra.resolve(picked), .is_zero = axis.is_zero};
  }
  algebra.freeze(axis.expression, reason);
  return p.fixed_axis(y, static_cast<std::int64_t>(index), reason);
}

void slice(CouplingPropagation& p, const Node& node) {
  for (std::size_t k = 1; k < node.inputs.size(); ++k) {
    if (has_input(node, k) && !is_constant_input(p.network(), node, k)) return opaque_rule(p, node);
  }
  const ValueId x = node.inputs[0];
  const std::vector<std::int64_t> starts = integers(p.network(), node.inputs[1]), ends = integers(p.network(), node.inputs[2]);
  std::vector<std::int64_t> axes(starts.size()), steps(starts.size(), 1);
  for (std::size_t k = 0; k < axes.size(); ++k) axes[k] = static_cast<std::int64_t>(k);
  if (has_input(node, 3)) axes = integers(p.network(), node.inputs[3]);
  if (has_input(node, 4)) steps = integers(p.network(), node.inputs[4]);
  ValueState output = p.state(x);
  for (std::size_t k = 0; k < axes.size(); ++k) {
    const std::size_t index = normalized_axis(axes[k], p.rank(x));
    const std::int64_t size = p.extent_at(x, axes[k]);
    output[index] = size == kDynamic ? p.fixed_axis(node.outputs[0], static_cast<std::int64_t>(index), "batch")
                                     : slice_axis(p, node, p.at(x, axes[k]), clamped(starts[k], ends[k], steps[k], size), index);
  }
  p.set(node.outputs[0], std::move(output));
}

bool pads_with_zero(const CouplingPropagation& p, const Node& node) {
  if (models::string_attribute(node, "mode", "constant") != "constant") return false;
  if (!has_input(node, 2)) return true;
  return is_constant_input(p.network(), node, 2) && p.network().constants.at(node.inputs[2]).to_floats()[0] == 0;
}

// Zero padding on a channel axis makes channels that can go like others: [P][C][Q].
void pad(CouplingPropagation& p, const Node& node) {
  if (!is_constant_input(p.network(), node, 1) || has_input(node, 3)) return opaque_rule(p, node);
  const ValueId x = node.inputs[0];
  const std::vector<std::int64_t> pads = integers(p.network(), node.inputs[1]);
  const bool is_zero = pads_with_zero(p, node);
  ValueState output;
  for (std::size_t i = 0; i < p.state(x).size(); ++i) {
    const std::int64_t before = pads[i], after = pads[i + p.state(x).size()];
    AxisState axis = p.state(x)[i];
    axis.is_zero = axis.is_zero && is_zero;
    const bool pads_zeros = is_zero && before >= 0 && after >= 0 && extent(axis.expression) != kDynamic;
    if ((before != 0 || after != 0) && !(pads_zeros && p.algebra().has_prunable(axis.expression))) {
      const std::string reason = "padded by " + quoted(node);
      p.algebra().freeze(axis.expression, reason);
      axis = p.fixed_axis(node.outputs[0], static_cast<std::int64_t>(i), reason);
    } else if (before != 0 || after != 0) {
      Axis padded = p.algebra().fresh(before);
      const Axis end = p.algebra().fresh(after);
      padded.insert(padded.end(), axis.expression.begin(), axis.expression.end());
      padded.insert(padded.end(), end.begin(), end.end());
      axis.expression = std::move(padded);
    }
    output.push_back(std::move(axis));
  }
  p.set(node.outputs[0], std::move(output));
}

// Whether the indices are first, first + 1, ...
bool is_range(const std::vector<std::int64_t>& indices) {
  for (std::size_t i = 1; i < indices.size(); ++i) {
    if (indices[i] != indices[i - 1] + 1) return false;
  }
  return !indices.empty() && indices[0] >= 0;
}

// The first of a selection always stays (token_selection.h).
bool picks_first_token(CouplingPropagation& p, const Node& node, const AxisState& axis) {
  if (!p.network().is_constant(node.inputs[1]) || !p.algebra().is_selection(axis.expression)) return false;
  const std::vector<std::int64_t> indices = integers(p.network(), node.inputs[1]);
  return std::all_of(indices.begin(), indices.end(), [](std::int64_t index) { return index == 0; });
}

// Axes of the data around the picked one pass. A constant range of indices is a slice; any other picking freezes its axis. An
// embedding table [words, hidden] is picked along words, which therefore stay.
void gather(CouplingPropagation& p, const Node& node) {
  const ValueId x = node.inputs[0], chosen = node.inputs[1], y = node.outputs[0];
  const std::size_t axis = normalized_axis(models::int_attribute(node, "axis", 0), p.rank(x));
  const ValueState& data = p.state(x);
  const bool is_slice = p.network().is_constant(chosen) && p.rank(chosen) == 1 && is_range(integers(p.network(), chosen)) &&
                        p.algebra().has_prunable(data[axis].expression) && !p.network().is_constant(x);
  ValueState output(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(axis));
  if (is_slice) {
    const std::vector<std::int64_t> indices = integers(p.network(), chosen);
    output.push_back(slice_axis(p, node, data[axis], {indices.front(), indices.back() + 1, 1}, axis));
  } else {
    if (!picks_first_token(p, node, data[axis])) p.freeze(x, static_cast<std::int64_t>(axis), "indexed by " + quoted(node));
    for (std::int64_t i = 0; i < p.rank(chosen); ++i) {
      const bool is_constant = p.network().is_constant(chosen);
      output.push_back(is_constant ? p.fixed_axis(y, static_cast<std::int64_t>(axis) + i, "indexed by " + quoted(node))
                                   : AxisState{.expression = p.at(chosen, i).expression});
    }
  }
  output.insert(output.end(), data.begin() + static_cast<std::ptrdiff_t>(axis) + 1, data.end());
  p.set(y, std::move(output));
}

// r repetitions are r concatenated copies.
void tile(CouplingPropagation& p, const Node& node) {
  if (!is_constant_input(p.network(), node, 1)) return opaque_rule(p, node);
  const std::vector<std::int64_t> repeats = integers(p.network(), node.inputs[1]);
  ValueState output = p.state(node.inputs[0]);
  for (std::size_t i = 0; i < output.size(); ++i) {
    const Axis once = output[i].expression;
    if (repeats[i] == 1) continue;
    if (!p.algebra().has_prunable(once)) {
      output[i] = p.fixed_axis(node.outputs[0], static_cast<std::int64_t>(i), "repeated by " + quoted(node));
      continue;
    }
    output[i].expression.clear();
    for (std::int64_t r = 0; r < repeats[i]; ++r) {
      output[i].expression.insert(output[i].expression.end(), once.begin(), once.end());
    }
  }
  p.set(node.outputs[0], std::move(output));
}

}  // namespace

void add_indexing_rules(CouplingRules& rules) {
  rules["Concat"] = concat;
  rules["Split"] = split;
  rules["Slice"] = slice;
  rules["Pad"] = pad;
  rules["Gather"] = gather;
  rules["Tile"] = tile;
}

}  // namespace lathe::policies
