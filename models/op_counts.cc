#include "models/op_counts.h"

#include <algorithm>

#include "models/batch_shapes.h"
#include "models/operators.h"

namespace lathe::models {
namespace {

std::int64_t macs_at(const Node& node, const std::vector<Shape>& shapes) {
  const auto shape_of = [&](ValueId id) -> const Shape& { return shapes[static_cast<std::size_t>(id)]; };
  if (!node.domain.empty()) return 0;
  if (node.op == "Conv" || node.op == "ConvTranspose") {
    // Each output of a Conv reads in / group channels under the kernel; each input of a ConvTranspose writes out / group.
    const Shape& weight = shape_of(node.inputs[1]);
    const ValueId positions = node.op == "Conv" ? node.outputs[0] : node.inputs[0];
    return element_count(shape_of(positions)) * element_count(std::span(weight).subspan(1));
  }
  if (node.op == "Gemm") {
    const Shape& a = shape_of(node.inputs[0]);
    return element_count(shape_of(node.outputs[0])) * a[gemm_attributes(node).transpose_a ? 0 : 1];
  }
  if (node.op == "MatMul") {
    const Shape& a = shape_of(node.inputs[0]);
    return element_count(shape_of(node.outputs[0])) * (a.empty() ? 1 : a.back());
  }
  return 0;
}

}  // namespace

std::int64_t macs(const Network& network, const Node& node) {
  return macs_at(node, shapes_at_batch(network, 1));
}

std::int64_t total_macs(const Network& network) {
  const std::vector<Shape> shapes = shapes_at_batch(network, 1);
  std::int64_t total = 0;
  for (const Node& node : network.nodes) total += macs_at(node, shapes);
  return total;
}

std::int64_t total_parameters(const Network& network) {
  std::int64_t total = 0;
  for (const ValueId id : trainable_constants(network)) total += network.constants.at(id).size();
  return total;
}

}  // namespace lathe::models
