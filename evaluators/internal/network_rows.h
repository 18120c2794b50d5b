// Between rows of a data set and a network's own input types and output shape.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "models/network.h"

namespace lathe::evaluators::internal {

// Integer inputs in the width that the network declares (arrays are stored as int64); others unchanged.
std::vector<at::Tensor> as_network_inputs(const models::Network& network, std::vector<at::Tensor> inputs);

// The first output as [n, classes].
at::Tensor logits_of(const std::vector<at::Tensor>& outputs);

}  // namespace lathe::evaluators::internal
