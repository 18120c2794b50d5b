// Operators that give the same elements another shape. Input and output axes are matched in blocks of equal extent, from the last axis
// on; in a block the products of both sides are the same axis, so [C, 7, 7] -> [C * 7 * 7] and [H * D] -> [H, D] keep their channels.
#include <algorithm>

#include "policies/coupling_rules.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Node;
using models::ValueId;

// A block of axes [begin, end) of one side.
struct Span {
  std::size_t begin, end;
};

class Reshaping {
 public:
  Reshaping(CouplingPropagation& p, const Node& node)
      : p_(p), node_(node), input_(p.state(node.inputs[0])), shape_(p.network().value(node.outputs[0]).shape), output_(shape_.size()) {}

  void run() {
    std::size_t in_end = input_.size(), out_end = shape_.size();
    while (match_last_block(in_end, out_end)) {
    }
    match_rest({0, in_end}, {0, out_end});
    p_.set(node_.outputs[0], std::move(output_));
  }

 private:
  std::int64_t in_extent(std::size_t axis) const { return extent(input_[axis].expression); }

  // Takes the shortest suffixes of equal extent away from both sides; false where the batch or an end is met first.
  bool match_last_block(std::size_t& in_end, std::size_t& out_end) {
    std::size_t in_begin = in_end, out_begin = out_end;
    std::int64_t in_size = 1, out_size = 1;
    do {
      // Extents of 1 that stand before a block join it only when needed to make it up.
      const bool grow_input = in_size < out_size || (in_size == out_size && in_begin > 0);
      std::size_t& begin = grow_input ? in_begin : out_begin;
      if (begin == 0) return false;
      const std::int64_t size = grow_input ? in_extent(begin - 1) : shape_[begin - 1];
      if (size == kDynamic || size == 0) return false;
      (grow_input ? in_size : out_size) *= size;
      --begin;
    } while (in_size != out_size);
    couple({in_begin, in_end}, {out_begin, out_end});
    in_end = in_begin;
    out_end = out_begin;
    return true;
  }

  Axis product_of_inputs(Span in) {
    std::vector<Axis> factors;
    for (std::size_t i = in.begin; i < in.end; ++i) factors.push_back(input_[i].expression);
    return p_.algebra().multiply(factors);
  }

  // Whether the masked elements of a block are all zero.
  bool block_is_zero(Span in) {
    bool is_zero = true;
    for (std::size_t i = in.begin; i < in.end; ++i) is_zero = is_zero && p_.zero_or_whole(input_[i]);
    return is_zero;
  }

  // New axes for outputs [begin, end), made up so that their product is `whole`; where that has more factors before or after, these are
  // returned as one axis.
  Axis divide(const Axis& whole, Span out, bool is_zero, bool remainder_first) {
    AxisAlgebra& algebra = p_.algebra();
    std::vector<Axis> factors;
    std::int64_t size = 1;
    for (std::size_t i = out.begin; i < out.end; ++i) {
      factors.push_back(algebra.fresh(shape_[i]));
      size *= shape_[i];
    }
    const Axis remainder = algebra.fresh(extent(whole) / size);
    factors.insert(remainder_first ? factors.begin() : factors.end(), remainder);
    algebra.unify(whole, algebra.multiply(factors), "reshaped by " + quoted(node_) + " across channels");
    for (std::size_t i = out.begin; i < out.end; ++i) {
      output_[i] = {.expression = algebra.resolve(factors[i - out.begin + (remainder_first ? 1 : 0)]), .is_zero = is_zero};
    }
    return algebra.resolve(remainder);
  }

  void couple(Span in, Span out) {
    if (in.end == in.begin + 1 && out.end == out.begin + 1) {
      output_[out.begin] = input_[in.begin];
      return;
    }
    const Axis whole = product_of_inputs(in);
    const bool is_zero = block_is_zero(in);
    if (out.end == out.begin + 1) {
      output_[out.begin] = {.expression = whole, .is_zero = is_zero};
    } else {
      divide(whole, out, is_zero, /*remainder_first=*/true);
    }
  }

  // What is left holds the batch, or nothing but extents of 1.
  void match_rest(Span in, Span out) {
    if (match_batch(in, out)) return;
    const std::string reason = "mixed with the batch by " + quoted(node_);
    for (std::size_t i = in.begin; i < in.end; ++i) p_.algebra().freeze(input_[i].expression, reason);
    for (std::size_t i = out.begin; i < out.end; ++i) {
      output_[i] = p_.fixed_axis(node_.outputs[0], static_cast<std::int64_t>(i), reason);
    }
  }

  // [N, H * D] -> [N * H, D], [T, N, C] -> [T * N, C] and back. The input is L * N * R in all; the output l, its batch axis, r, where L and
  // R are divisible by l and r and what remains of them goes to (or stays on) the batch axis.
  bool match_batch(Span in, Span out) {
    const auto is_batch = [](const Term& term) { return term.size == kDynamic; };
    const Axis all = product_of_inputs(in);
    if (all.size() != 1 || std::count_if(all[0].begin(), all[0].end(), is_batch) != 1) return false;
    const auto n = std::find_if(all[0].begin(), all[0].end(), is_batch);
    const Axis before{Product(all[0].begin(), n)}, after{Product(n + 1, all[0].end())};
    const auto shape_begin = shape_.begin() + static_cast<std::ptrdiff_t>(out.begin);
    const auto shape_end = shape_.begin() + static_cast<std::ptrdiff_t>(out.end);
    if (std::count(shape_begin, shape_end, kDynamic) != 1) return false;
    const auto batch_axis = static_cast<std::size_t>(std::find(shape_begin, shape_end, kDynamic) - shape_.begin());
    const auto size_of = [&](std::size_t begin, std::size_t end) {
      std::int64_t size = 1;
      for (std::size_t i = begin; i < end; ++i) size *= shape_[i];
      return size;
    };
    const std::int64_t outer = size_of(out.begin, batch_axis), inner = size_of(batch_axis + 1, out.end);
    if (outer < 1 || inner < 1 || extent(before) % outer != 0 || extent(after) % inner != 0) return false;
    const bool is_zero = block_is_zero(in);
    const Axis slower = divide(before, {out.begin, batch_axis}, is_zero, /*remainder_first=*/false);
    const Axis faster = divide(after, {batch_axis + 1, out.end}, is_zero, /*remainder_first=*/true);
    output_[batch_axis] = {.expression = p_.algebra().multiply(std::vector<Axis>{slower, {{*n}}, faster}), .is_zero = is_zero};
    return true;
  }

  CouplingPropagation& p_;
  const Node& node_;
  const ValueState input_;
  const models::Shape shape_;
  ValueState output_;
};

void reshape(CouplingPropagation& p, const Node& node) {
  Reshaping(p, node).run();
}

void transpose(CouplingPropagation& p, const Node& node) {
  const ValueState& input = p.state(node.inputs[0]);
  std::vector<std::int64_t> order;  // ONNX's default reverses the axes
  for (std::size_t i = input.size(); i > 0; --i) order.push_back(static_cast<std::int64_t>(i) - 1);
  ValueState output;
  for (const std::int64_t axis : models::ints_attribute(node, "perm", order)) output.push_back(p.at(node.inputs[0], axis));
  p.set(node.outputs[0], std::move(output));
}

// Copies along axes of extent 1; every copy is the same, so that any of them may go.
void expand(CouplingPropagation& p, const Node& node) {
  if (!is_constant_input(p.network(), node, 1)) return opaque_rule(p, node);
  const ValueId x = node.inputs[0], y = node.outputs[0];
  const models::Shape& shape = p.network().value(y).shape;
  ValueState output;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const auto from_last = static_cast<std::int64_t>(shape.size() - i);
    const bool is_repeated = from_last > p.rank(x) || p.extent_at(x, -from_last) != shape[i];
    output.push_back(is_repeated ? AxisState{.expression = p.algebra().fresh(shape[i])} : p.at(x, -from_last));
  }
  p.set(y, std::move(output));
}

// Channels [b * b * C] (mode DCR) or [C * b * b] (CRD) become [C] at b times the height and width; SpaceToDepth is the inverse of DCR.
void depth_space(CouplingPropagation& p, const Node& node) {
  const bool to_space = node.op == "DepthToSpace";
  const ValueId x = node.inputs[0], y = node.outputs[0];
  const std::int64_t block = models::int_attribute(node, "blocksize", 1);
  const std::string reason = "the blocks of " + quoted(node);
  const Axis blocks = p.algebra().fixed(block * block, reason);
  AxisState channels = p.at(x, 1);
  for (std::int64_t axis = 2; axis < p.rank(x); ++axis) p.freeze(x, axis, "spatial positions seen by " + quoted(node));
  if (to_space) {
    const Axis inner = p.algebra().fresh(extent(channels.expression) / (block * block));
    const bool is_crd = models::string_attribute(node, "mode", "DCR") == "CRD";
    const Axis whole = p.algebra().multiply(is_crd ? std::vector<Axis>{inner, blocks} : std::vector<Axis>{blocks, inner});
    p.algebra().unify(channels.expression, whole, reason);
    channels.expression = inner;
  } else {
    channels.expression = p.algebra().multiply(std::vector<Axis>{blocks, channels.expression});
  }
  ValueState output{p.at(x, 0), std::move(channels)};
  for (std::int64_t axis = 2; axis < p.rank(x); ++axis) output.push_back(p.fixed_axis(y, axis, "spatial positions of " + quoted(node)));
  p.set(y, std::move(output));
}

// Batch and channels pass where they are not resized.
void resize(CouplingPropagation& p, const Node& node) {
  if (has_input(node, 3) && !is_constant_input(p.network(), node, 3)) return opaque_rule(p, node);
  const ValueId x = node.inputs[0], y = node.outputs[0];
  const models::Shape& shape = p.network().value(y).shape;
  ValueState output;
  for (std::int64_t axis = 0; axis < p.rank(x); ++axis) {
    const bool passes = axis < 2 && p.extent_at(x, axis) == shape[static_cast<std::size_t>(axis)];
    if (!passes) p.freeze(x, axis, "resized by " + quoted(node));
    output.push_back(passes ? p.at(x, axis) : p.fixed_axis(y, axis, "resized by " + quoted(node)));
  }
  p.set(y, std::move(output));
}

}  // namespace

void add_shape_rules(CouplingRules& rules) {
  for (const char* op : {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}) rules[op] = reshape;
  rules["Transpose"] = transpose;
  rules["Expand"] = expand;
  rules["DepthToSpace"] = rules["SpaceToDepth"] = depth_space;
  rules["Resize"] = rules["Upsample"] = resize;
}

}  // namespace lathe::policies
