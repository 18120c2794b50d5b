#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "models/base/error.h"
#include "models/internal/canonical_form.h"

namespace lathe::models::internal {
namespace {

using Ints = std::vector<std::int64_t>;
using IntsPair = std::array<Ints, 2>;

bool has_input(const Node& node, std::size_t input) {
  return input < node.inputs.size() && node.inputs[input] != kNoValue;
}

// The integers of an operand at both batch sizes; `otherwise` where it is left out; nullopt where they are not known.
std::optional<IntsPair> integers(const GraphBuilder& builder, const Node& node, std::size_t input, const Ints& otherwise) {
  if (!has_input(node, input)) return IntsPair{otherwise, otherwise};
  if (!builder.has_content(node.inputs[input])) return std::nullopt;
  return IntsPair{builder.content(node.inputs[input], 0)->to_int64s(), builder.content(node.inputs[input], 1)->to_int64s()};
}

// The target is the shape that comes out, with -1 for the extent that follows from the batch.
void fix_reshape(GraphBuilder& builder, Node& node) {
  const Shape target = builder.network().value(node.outputs[0]).shape;
  if (std::count(target.begin(), target.end(), kDynamic) > 1) return;
  node.attributes.erase("allowzero");
  if (std::find(target.begin(), target.end(), 0) != target.end()) {
    // Only then does a 0 mean an extent of zero; an older opset cannot say it and needs the original operand.
    if (builder.network().opset < 14 || std::count(target.begin(), target.end(), kDynamic) > 0) return;
    node.attributes["allowzero"] = std::int64_t{1};
  }
  node.inputs[1] = builder.add_int64s(node.name + ".shape", target);
}

// The runtime vector [1, .., batch * multiple, .., 1]: an Expand along the batch. Read off the first network input.
ValueId batch_shape(GraphBuilder& builder, const std::string& name, std::size_t rank, std::size_t axis, std::int64_t multiple) {
  const auto int64s = [&](const char* suffix, const ShapePair& shapes) {
    return builder.add_value(name + suffix, DataType::kInt64, shapes);
  };
  const ValueId input = builder.network().inputs[0];
  const auto input_rank = static_cast<std::int64_t>(builder.shapes(input)[0].size());
  const ValueId shape = int64s(".input_shape", {Shape{input_rank}, Shape{input_rank}});
  const ValueId batch = int64s(".batch", {Shape{1}, Shape{1}});
  builder.emit({.name = builder.unique_node_name(name + ".input_shape"), .op = "Shape", .inputs = {input}, .outputs = {shape}});
  builder.emit({.name = builder.unique_node_name(name + ".batch"),
                .op = "Gather",
                .inputs = {shape, builder.add_int64s(name + ".first", {0})},
                .outputs = {batch},
                .attributes = {{"axis", std::int64_t{0}}}});
  ValueId extent = batch;
  if (multiple != 1) {
    extent = int64s(".extent", {Shape{1}, Shape{1}});
    builder.emit({.name = builder.unique_node_name(name + ".extent"),
                  .op = "Mul",
                  .inputs = {batch, builder.add_int64s(name + ".multiple", {multiple})},
                  .outputs = {extent}});
  }
  Node concat{.name = builder.unique_node_name(name + ".shape"), .op = "Concat", .attributes = {{"axis", std::int64_t{0}}}};
  if (axis > 0) concat.inputs.push_back(builder.add_int64s(name + ".leading", Ints(axis, 1)));
  concat.inputs.push_back(extent);
  if (axis + 1 < rank) concat.inputs.push_back(builder.add_int64s(name + ".trailing", Ints(rank - axis - 1, 1)));
  if (concat.inputs.size() == 1) return extent;
  const auto length = static_cast<std::int64_t>(rank);
  concat.outputs = {int64s(".target", {Shape{length}, Shape{length}})};
  const ValueId target = concat.outputs[0];
  builder.emit(std::move(concat));
  return target;
}

// An extent of 1 in the target keeps the input's, so only the axes that truly expand are named.
void fix_expand(GraphBuilder& builder, Node& node) {
  const ShapePair out = builder.shapes(node.outputs[0]);
  const ShapePair in = builder.shapes(node.inputs[0]);
  const std::size_t rank = out[0].size(), lead = rank - in[0].size();
  Ints target(rank, 1);
  std::size_t dynamic_axis = rank;
  for (std::size_t i = 0; i < rank; ++i) {
    const bool is_kept = i >= lead && out[0][i] == in[0][i - lead] && out[1][i] == in[1][i - lead];
    if (is_kept) continue;
    if (out[0][i] == out[1][i]) {
      target[i] = out[0][i];
    } else if (dynamic_axis == rank) {
      dynamic_axis = i;
    } else {
      return;
    }
  }
  if (dynamic_axis == rank) {
    node.inputs[1] = builder.add_int64s(node.name + ".shape", target);
    return;
  }
  const std::int64_t multiple = out[0][dynamic_axis] / kBatches[0];
  const bool is_multiple = out[0][dynamic_axis] == multiple * kBatches[0] && out[1][dynamic_axis] == multiple * kBatches[1];
  const auto ones = static_cast<std::size_t>(std::count(target.begin(), target.end(), 1));
  if (!is_multiple || ones != rank || builder.network().value(builder.network().inputs[0]).shape.empty() ||
      builder.network().value(builder.network().inputs[0]).shape[0] != kDynamic) {
    return;
  }
  node.inputs[1] = batch_shape(builder, node.name, rank, dynamic_axis, multiple);
}

// A bound that holds for every batch: the same number, or the same distance from the end of the axis, or 'to the end'.
std::optional<std::int64_t> common_bound(std::array<std::int64_t, 2> bound, std::array<std::int64_t, 2> extent, bool is_end,
                                         std::int64_t step) {
  if (bound[0] == bound[1]) return bound[0];
  if (is_end && step > 0 && bound[0] >= extent[0] && bound[1] >= extent[1]) return std::numeric_limits<std::int64_t>::max();
  const std::int64_t from_end = bound[0] - extent[0];
  if (from_end < 0 && from_end == bound[1] - extent[1]) return from_end;
  return std::nullopt;
}

void fix_slice(GraphBuilder& builder, Node& node) {
  const auto starts = integers(builder, node, 1, {}), ends = integers(builder, node, 2, {});
  if (!starts || !ends) return;
  const std::size_t count = (*starts)[0].size();
  Ints all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = static_cast<std::int64_t>(i);
  const auto axes = integers(builder, node, 3, all), steps = integers(builder, node, 4, Ints(count, 1));
  if (!axes || !steps || (*axes)[0] != (*axes)[1] || (*steps)[0] != (*steps)[1]) return;
  const ShapePair shapes = builder.shapes(node.inputs[0]);
  const auto rank = static_cast<std::int64_t>(shapes[0].size());
  Ints start(count), end(count), axis((*axes)[0]);
  for (std::size_t i = 0; i < count; ++i) {
    if (axis[i] < 0) axis[i] += rank;
    const auto at = static_cast<std::size_t>(axis[i]);
    const std::array<std::int64_t, 2> extent{shapes[0][at], shapes[1][at]};
    const auto first = common_bound({(*starts)[0][i], (*starts)[1][i]}, extent, /*is_end=*/false, (*steps)[0][i]);
    const auto last = common_bound({(*ends)[0][i], (*ends)[1][i]}, extent, /*is_end=*/true, (*steps)[0][i]);
    if (!first || !last) return;
    start[i] = *first;
    end[i] = *last;
  }
  node.inputs = {node.inputs[0], builder.add_int64s(node.name + ".starts", start), builder.add_int64s(node.name + ".ends", end),
                 builder.add_int64s(node.name + ".axes", axis), builder.add_int64s(node.name + ".steps", (*steps)[0])};
}

// Output sizes as scales, which say nothing of the axes that stay (batch, channels). A scale is rounded up where floor(in * scale)
// would lose a pixel.
void fix_resize(GraphBuilder& builder, Node& node) {
  if (!has_input(node, 3) || string_attribute(node, "coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize") return;
  const ShapePair& in = builder.shapes(node.inputs[0]);
  const ShapePair& out = builder.shapes(node.outputs[0]);
  std::vector<float> scales;
  for (std::size_t i = 0; i < in[0].size(); ++i) {
    const bool is_kept = in[0][i] == out[0][i] && in[1][i] == out[1][i];
    if (!is_kept && (in[0][i] != in[1][i] || out[0][i] != out[1][i])) {
      throw UserError(Fault{.key = node.name, .expected = "Resize along the batch is not supported"});
    }
    float scale = is_kept ? 1.0f : static_cast<float>(out[0][i]) / static_cast<float>(in[0][i]);
    while (!is_kept && std::floor(static_cast<float>(in[0][i]) * scale) < static_cast<float>(out[0][i]))
      scale = std::nextafter(scale, INFINITY);
    scales.push_back(scale);
  }
  const auto count = static_cast<std::int64_t>(scales.size());
  node.inputs = {node.inputs[0], kNoValue, builder.add_constant(node.name + ".scales", Tensor::from<float>({count}, scales))};
}

}  // namespace

void make_shape_operands_constant(GraphBuilder& builder, Node& node) {
  if (node.op == "Reshape") fix_reshape(builder, node);
  if (node.op == "Expand") fix_expand(builder, node);
  if (node.op == "Slice") fix_slice(builder, node);
  if (node.op == "Resize") fix_resize(builder, node);
}

}  // namespace lathe::models::internal
