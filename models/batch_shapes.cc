#include "models/batch_shapes.h"

#include <algorithm>

namespace lathe::models {
namespace {

bool keeps_element_count(const Node& node) {
  return node.op == "Reshape" || node.op == "Flatten" || node.op == "Squeeze" || node.op == "Unsqueeze";
}

// Dynamic extents of a node's inputs, resolved; found by comparing the declared with the resolved shapes.
struct InputExtents {
  std::int64_t largest = 0;
  std::int64_t elements = 1;  // of the first dynamic input
};

InputExtents dynamic_extents(const Network& network, const Node& node, const std::vector<Shape>& resolved) {
  InputExtents found;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue) continue;
    const Shape& declared = network.value(id).shape;
    const Shape& known = resolved[static_cast<std::size_t>(id)];
    for (std::size_t axis = 0; axis < declared.size(); ++axis) {
      if (declared[axis] != kDynamic) continue;
      if (found.largest == 0) found.elements = element_count(known);
      found.largest = std::max(found.largest, known[axis]);
    }
  }
  return found;
}

// The axis of a Concat may be the dynamic one, then extents add; known inputs count too.
std::int64_t concat_extent(const Node& node, std::size_t axis, const std::vector<Shape>& resolved) {
  std::int64_t sum = 0;
  for (const ValueId id : node.inputs) sum += resolved[static_cast<std::size_t>(id)][axis];
  return sum;
}

Shape resolve(const Network& network, const Node& node, Shape shape, const std::vector<Shape>& resolved, std::int64_t batch) {
  const auto dynamic = std::count(shape.begin(), shape.end(), kDynamic);
  if (dynamic == 0) return shape;
  const InputExtents inputs = dynamic_extents(network, node, resolved);
  std::int64_t extent = inputs.largest > 0 ? inputs.largest : batch;
  if (keeps_element_count(node) && dynamic == 1 && inputs.largest > 0) {
    std::int64_t rest = 1;
    for (const std::int64_t e : shape) rest *= e == kDynamic ? 1 : e;
    if (rest > 0) extent = inputs.elements / rest;
  }
  const std::int64_t rank = static_cast<std::int64_t>(shape.size());
  std::int64_t concat_axis = node.op == "Concat" ? int_attribute(node, "axis", 0) : rank;
  if (concat_axis < 0) concat_axis += rank;
  for (std::int64_t axis = 0; axis < rank; ++axis) {
    std::int64_t& e = shape[static_cast<std::size_t>(axis)];
    if (e != kDynamic) continue;
    e = axis == concat_axis ? concat_extent(node, static_cast<std::size_t>(axis), resolved) : extent;
  }
  return shape;
}

}  // namespace

std::vector<Shape> shapes_at_batch(const Network& network, std::int64_t batch) {
  std::vector<Shape> resolved(network.values.size());
  for (std::size_t id = 0; id < resolved.size(); ++id) {
    resolved[id] = network.values[id].shape;
    std::replace(resolved[id].begin(), resolved[id].end(), kDynamic, batch);
  }
  for (const Node& node : network.nodes) {
    for (const ValueId id : node.outputs) {
      if (id == kNoValue) continue;
      resolved[static_cast<std::size_t>(id)] = resolve(network, node, network.value(id).shape, resolved, batch);
    }
  }
  return resolved;
}

}  // namespace lathe::models
