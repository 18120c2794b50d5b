// ONNX shape inference for one node with all extents known: runs the inference function of the operator's schema, with the contents
// of the operands that are known.
#pragma once

#include <onnx/onnx_pb.h>

#include <optional>
#include <vector>

#include "models/internal/graph_builder.h"

namespace lathe::models::internal {

struct InferredValue {
  DataType type = DataType::kFloat32;
  ShapePair shapes;
};

// `inputs`: ids of the node's inputs in `builder`, kNoValue where left out. One entry an output; nullopt for outputs without a name.
// Throws UserError (key = `name`) where the operands do not fit, or where the shape depends on data.
std::vector<std::optional<InferredValue>> infer_node(const onnx::NodeProto& node, const std::string& name,
                                                     const std::vector<ValueId>& inputs, const GraphBuilder& builder, int opset);

}  // namespace lathe::models::internal
