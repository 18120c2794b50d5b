// What becomes of a layer's output before another layer reads it.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/network.h"

namespace lathe::evaluators::internal {

// relu(g (y + o) + s), y the layer's output without its bias: g and o by the bias and the BatchNormalization that alone reads the layer, s
// the other operand of the Add that alone reads that. Undefined tensors and kNoValue where a channel is scaled by zero on the way.
struct OutputPath {
  at::Tensor gain, offset;                      // g and o, [outputs], float
  models::ValueId shortcut = models::kNoValue;  // s; none where nothing is added
  bool is_rectified = false;                    // whether relu comes next, and nothing else reads what it does
};
OutputPath output_path(const models::Network& network, const models::Node& layer);

}  // namespace lathe::evaluators::internal
