// Checks of a node's operands and attributes before shape inference sees them: libonnx trusts the ranks of convolutions and poolings,
// divides by strides, and leaves it to the runtime whether channels fit.
#pragma once

#include "models/internal/graph_builder.h"

namespace lathe::models::internal {

// `node` has its inputs, but no outputs yet. Throws UserError (key = the node's name).
void check_operands(const GraphBuilder& builder, const Node& node);

}  // namespace lathe::models::internal
