// What a layer's output is added to where a branch ends.
#pragma once

#include <ATen/core/Tensor.h>

#include "models/network.h"

namespace lathe::evaluators::internal {

// The other operand of the Add that alone reads the layer, through a BatchNormalization or not; kNoValue = there is none, or a channel is
// scaled by zero on the way.
struct Shortcut {
  models::ValueId value = models::kNoValue;
  at::Tensor gain;  // [outputs], float: by which the layer's output is multiplied before the addition
};
Shortcut shortcut_of(const models::Network& network, const models::Node& layer);

}  // namespace lathe::evaluators::internal
