#include "models/internal/operand_checks.h"

#include <algorithm>
#include <string>

#include "models/base/error.h"

namespace lathe::models::internal {
namespace {

using Ints = std::vector<std::int64_t>;

[[noreturn]] void fail(const Node& node, const std::string& what) {
  throw UserError(Fault{.key = node.name, .expected = node.op + ": " + what});
}

bool has_input(const Node& node, std::size_t input) {
  return input < node.inputs.size() && node.inputs[input] != kNoValue;
}

const Shape& shape_of(const GraphBuilder& builder, const Node& node, std::size_t input) {
  if (!has_input(node, input)) fail(node, "input " + std::to_string(input) + " is missing");
  return builder.shapes(node.inputs[input])[0];
}

// Attributes with one or two elements a spatial axis; strides and the like must be positive.
void check_window(const Node& node, std::size_t axes) {
  for (const char* name : {"strides", "dilations", "kernel_shape"}) {
    if (!node.attributes.contains(name)) continue;
    const Ints values = ints_attribute(node, name, {});
    if (values.size() != axes) fail(node, std::string("attribute '") + name + "' must have " + std::to_string(axes) + " elements");
    if (std::any_of(values.begin(), values.end(), [](std::int64_t v) { return v <= 0; }))
      fail(node, std::string("attribute '") + name + "' must be positive");
  }
  for (const auto& [name, count] : {std::pair("pads", 2 * axes), std::pair("output_padding", axes)}) {
    if (!node.attributes.contains(name)) continue;
    const Ints values = ints_attribute(node, name, {});
    if (values.size() != count) fail(node, std::string("attribute '") + name + "' must have " + std::to_string(count) + " elements");
    if (std::any_of(values.begin(), values.end(), [](std::int64_t v) { return v < 0; }))
      fail(node, std::string("attribute '") + name + "' must not be negative");
  }
}

void check_convolution(const GraphBuilder& builder, const Node& node) {
  const Shape& x = shape_of(builder, node, 0);
  const Shape& w = shape_of(builder, node, 1);
  const std::string seen = "input " + to_string(builder.network().value(node.inputs[0]).shape) + ", weight " + to_string(w);
  if (x.size() < 3 || x.size() > 5 || w.size() != x.size()) fail(node, "input and weight must both have 3, 4 or 5 axes: " + seen);
  check_window(node, x.size() - 2);
  const std::int64_t group = int_attribute(node, "group", 1);
  if (group <= 0) fail(node, "attribute 'group' must be positive");
  const std::int64_t in_channels = node.op == "Conv" ? w[1] * group : w[0];
  if (x[1] != in_channels || w[0] % group != 0) fail(node, "channels do not fit " + std::to_string(group) + " groups: " + seen);
  const std::int64_t out_channels = node.op == "Conv" ? w[0] : w[1] * group;
  if (has_input(node, 2) && shape_of(builder, node, 2) != Shape{out_channels})
    fail(node, "the bias must have one element an output channel");
  const Ints kernel(w.begin() + 2, w.end());
  if (ints_attribute(node, "kernel_shape", kernel) != kernel) fail(node, "kernel_shape differs from the weight's: " + seen);
  const std::size_t wanted = ints_attribute(node, "output_shape", {}).size();
  if (wanted != 0 && wanted != x.size() - 2 && wanted != x.size()) fail(node, "attribute 'output_shape' has the wrong number of elements");
}

void check_pooling(const GraphBuilder& builder, const Node& node) {
  const Shape& x = shape_of(builder, node, 0);
  if (x.size() < 3 || x.size() > 5) fail(node, "the input must have 3, 4 or 5 axes, it is " + to_string(x));
  if (!node.attributes.contains("kernel_shape")) fail(node, "attribute 'kernel_shape' is missing");
  check_window(node, x.size() - 2);
}

void check_normalization(const GraphBuilder& builder, const Node& node) {
  const Shape& x = shape_of(builder, node, 0);
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (x.size() < 2 || shape_of(builder, node, i) != Shape{x[1]}) fail(node, "parameters must have one element a channel");
  }
}

// Flatten may cut after the last axis.
void check_axis(const GraphBuilder& builder, const Node& node) {
  const auto rank = static_cast<std::int64_t>(shape_of(builder, node, 0).size());
  const std::int64_t axis = int_attribute(node, "axis", 0), last = node.op == "Flatten" ? rank : std::max<std::int64_t>(rank - 1, 0);
  if (axis < -rank || axis > last) fail(node, "axis " + std::to_string(axis) + " of an input with " + std::to_string(rank) + " axes");
}

}  // namespace

void check_operands(const GraphBuilder& builder, const Node& node) {
  const auto is_one_of = [&](std::initializer_list<const char*> ops) {
    return std::any_of(ops.begin(), ops.end(), [&](const char* each) { return node.op == each; });
  };
  if (is_one_of({"Conv", "ConvTranspose"})) check_convolution(builder, node);
  if (is_one_of({"MaxPool", "AveragePool", "LpPool"})) check_pooling(builder, node);
  if (is_one_of({"GlobalAveragePool", "GlobalMaxPool"}) && shape_of(builder, node, 0).size() < 3)
    fail(node, "the input must have 3 axes or more");
  if (is_one_of({"BatchNormalization", "InstanceNormalization"})) check_normalization(builder, node);
  if (is_one_of({"Concat", "Split", "Gather", "GatherElements", "Softmax", "LogSoftmax", "Hardmax", "Flatten", "ArgMax", "ArgMin",
                 "LayerNormalization", "TopK", "ScatterElements", "LpNormalization"})) {
    check_axis(builder, node);
  }
}

}  // namespace lathe::models::internal
