// Rewrites a node of any opset from 11 to 17 into the one form that a Network holds (see Node in network.h).
#pragma once

#include <optional>
#include <vector>

#include "models/internal/graph_builder.h"

namespace lathe::models::internal {

// Whether the node's first output equals its first input for every run, so that it can be left out: Identity, Dropout at inference,
// a Cast to the same type, and a Reshape, Flatten, Expand or Slice that keeps the shape. `outputs`: their shapes.
bool is_identity(const GraphBuilder& builder, const Node& node, const std::vector<std::optional<ShapePair>>& outputs);

// Emits the canonical form of `node`, whose inputs and outputs are values of the builder and whose attributes are those of the file.
// `opset`: of the file. Throws UserError for what Lathe does not execute.
void emit_canonical(GraphBuilder& builder, Node node, int opset);

// Replaces operands that say shapes (targets of Reshape and Expand, bounds of Slice, sizes of Resize) by constants that hold for
// any batch, wherever there are such.
void make_shape_operands_constant(GraphBuilder& builder, Node& node);

}  // namespace lathe::models::internal
