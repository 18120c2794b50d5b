#include "models/internal/canonical_form.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "models/base/error.h"
#include "models/operators.h"

namespace lathe::models::internal {
namespace {

using Ints = std::vector<std::int64_t>;

bool is_one_of(const std::string& op, std::initializer_list<const char*> ops) {
  return std::any_of(ops.begin(), ops.end(), [&](const char* each) { return op == each; });
}

bool has_input(const Node& node, std::size_t input) {
  return input < node.inputs.size() && node.inputs[input] != kNoValue;
}

std::int64_t rank_of(const GraphBuilder& builder, const Node& node) {
  return static_cast<std::int64_t>(builder.shapes(node.inputs[0])[0].size());
}

// Moves the integers of an attribute to input 1, where opset 13 has them.
void attribute_to_input(GraphBuilder& builder, Node& node, const std::string& attribute) {
  const auto found = node.attributes.find(attribute);
  if (found == node.attributes.end() || has_input(node, 1)) return;
  node.inputs.resize(2, kNoValue);
  node.inputs[1] = builder.add_int64s(node.name + "." + attribute, std::get<Ints>(found->second));
  node.attributes.erase(found);
}

void normalize_squeeze(GraphBuilder& builder, Node& node) {
  attribute_to_input(builder, node, "axes");
  if (node.op == "Unsqueeze" || has_input(node, 1)) return;
  // Without axes all extents of 1 go; the batch is no such extent.
  const ShapePair& shapes = builder.shapes(node.inputs[0]);
  Ints axes;
  for (std::size_t i = 0; i < shapes[0].size(); ++i) {
    if (shapes[0][i] == 1 && shapes[1][i] == 1) axes.push_back(static_cast<std::int64_t>(i));
  }
  node.inputs.resize(2, kNoValue);
  node.inputs[1] = builder.add_int64s(node.name + ".axes", axes);
}

void normalize_split(GraphBuilder& builder, Node& node) {
  attribute_to_input(builder, node, "split");
  const auto axis = static_cast<std::size_t>(int_attribute(node, "axis", 0));
  if (has_input(node, 1)) return;
  Ints sizes;
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) throw UserError(Fault{.key = node.name, .expected = "Split with an output left out needs its sizes"});
    const ShapePair& shapes = builder.shapes(id);
    if (shapes[0][axis] != shapes[1][axis]) return;  // parts of the batch: equal ones, whatever it is
    sizes.push_back(shapes[0][axis]);
  }
  node.inputs.resize(2, kNoValue);
  node.inputs[1] = builder.add_int64s(node.name + ".split", sizes);
}

void normalize_batch_norm(Node& node) {
  if (int_attribute(node, "training_mode", 0) != 0) {
    throw UserError(Fault{.key = node.name, .expected = "BatchNormalization is in training mode; export the network in evaluation mode"});
  }
  node.attributes.erase("training_mode");
  node.outputs.resize(1);
}

// auto_pad and output_shape become pads: every extent but the batch is known.
void resolve_padding(const GraphBuilder& builder, Node& node) {
  const bool is_convolution = node.op == "Conv" || node.op == "ConvTranspose";
  if (node.op == "ConvTranspose") {
    const ConvAttributes a = conv_attributes(builder.network(), node);
    if (std::any_of(a.output_padding.begin(), a.output_padding.end(), [](auto p) { return p != 0; })) {
      node.attributes["output_padding"] = a.output_padding;
    }
    node.attributes["pads"] = a.pads;
    node.attributes.erase("output_shape");
  } else if (string_attribute(node, "auto_pad", "NOTSET") != "NOTSET") {
    node.attributes["pads"] =
        is_convolution ? conv_attributes(builder.network(), node).pads : pool_attributes(builder.network(), node).pads;
  }
  node.attributes.erase("auto_pad");
}

// Before opset 13, Softmax worked on the matrix that flattening at `axis` gives. It equals today's along one axis if that is the last
// one of more than one element; else the flattening is written out.
void emit_old_softmax(GraphBuilder& builder, Node node) {
  const ValueId input = node.inputs[0], output = node.outputs[0];
  const ShapePair shapes = builder.shapes(input);
  const auto rank = static_cast<std::int64_t>(shapes[0].size());
  std::int64_t axis = int_attribute(node, "axis", 1);
  if (axis < 0) axis += rank;
  const auto is_one = [&](std::int64_t i) {
    return shapes[0][static_cast<std::size_t>(i)] == 1 && shapes[1][static_cast<std::size_t>(i)] == 1;
  };
  Ints wide;
  for (std::int64_t i = axis; i < rank; ++i) {
    if (!is_one(i)) wide.push_back(i);
  }
  if (wide.size() <= 1) {
    node.attributes["axis"] = wide.empty() ? std::max<std::int64_t>(0, std::min(axis, rank - 1)) : wide[0];
    builder.emit(std::move(node));
    return;
  }
  ShapePair flat;
  for (std::size_t side = 0; side < flat.size(); ++side) {
    const std::span<const std::int64_t> s(shapes[side]);
    flat[side] = {element_count(s.first(static_cast<std::size_t>(axis))), element_count(s.subspan(static_cast<std::size_t>(axis)))};
  }
  const DataType type = builder.network().value(input).type;
  const ValueId flattened = builder.add_value(node.name + ".flat_input", type, flat);
  const ValueId normalized = builder.add_value(node.name + ".flat_output", type, flat);
  Node flatten{.name = builder.unique_node_name(node.name + ".flatten"),
               .op = "Flatten",
               .inputs = {input},
               .outputs = {flattened},
               .attributes = {{"axis", axis}}};
  Node reshape{.name = builder.unique_node_name(node.name + ".unflatten"),
               .op = "Reshape",
               .inputs = {normalized, builder.add_int64s(node.name + ".shape", shapes[0])},
               .outputs = {output}};
  node.inputs[0] = flattened;
  node.outputs[0] = normalized;
  node.attributes["axis"] = std::int64_t{1};
  builder.emit(std::move(flatten));
  builder.emit(std::move(node));
  make_shape_operands_constant(builder, reshape);
  builder.emit(std::move(reshape));
}

// Negative axes counted from the front.
void normalize_axes(const GraphBuilder& builder, Node& node) {
  const std::int64_t rank = node.inputs.empty() || node.inputs[0] == kNoValue ? 0 : rank_of(builder, node);
  if (is_one_of(node.op, {"Concat", "Split", "Gather", "GatherElements", "Softmax", "LogSoftmax", "Hardmax", "Flatten", "ArgMax", "ArgMin",
                          "LayerNormalization", "TopK", "ScatterElements", "LpNormalization"})) {
    if (const auto found = node.attributes.find("axis"); found != node.attributes.end()) {
      auto& axis = std::get<std::int64_t>(found->second);
      if (axis < 0) axis += rank;
    }
  }
  if (node.op.starts_with("Reduce")) {
    if (const auto found = node.attributes.find("axes"); found != node.attributes.end()) {
      for (std::int64_t& axis : std::get<Ints>(found->second)) axis += axis < 0 ? rank : 0;
    }
  }
}

}  // namespace

bool is_identity(const GraphBuilder& builder, const Node& node, const std::vector<std::optional<ShapePair>>& outputs) {
  if (node.op == "Identity" || node.op == "Dropout") return true;
  if (node.op == "Cast") return false;  // decided by the type, which the caller knows
  if (!is_one_of(node.op, {"Reshape", "Flatten", "Expand", "Slice"})) return false;
  if (!outputs[0] || *outputs[0] != builder.shapes(node.inputs[0])) return false;
  if (node.op != "Slice" || !has_input(node, 4)) return true;
  const auto& steps = builder.content(node.inputs[4], 0);
  if (!steps) return false;
  const Ints values = steps->to_int64s();
  return std::all_of(values.begin(), values.end(), [](std::int64_t step) { return step > 0; });
}

void emit_canonical(GraphBuilder& builder, Node node, int opset) {
  if (opset < 13 && is_one_of(node.op, {"Softmax", "LogSoftmax", "Hardmax"})) {
    emit_old_softmax(builder, std::move(node));
    return;
  }
  normalize_axes(builder, node);
  if (node.op == "Squeeze" || node.op == "Unsqueeze") normalize_squeeze(builder, node);
  if (node.op == "ReduceSum") attribute_to_input(builder, node, "axes");
  if (node.op == "Split") normalize_split(builder, node);
  if (node.op == "BatchNormalization") normalize_batch_norm(node);
  if (is_one_of(node.op, {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool"})) resolve_padding(builder, node);
  make_shape_operands_constant(builder, node);
  builder.emit(std::move(node));
}

}  // namespace lathe::models::internal
