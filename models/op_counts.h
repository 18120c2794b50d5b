// Multiply-accumulates and parameters, by the field's usual counting: 1 MAC = one multiply and one add; Conv, ConvTranspose, Gemm and
// MatMul count, everything else does not. For one sample (batch 1).
#pragma once

#include <cstdint>
#include <vector>

#include "models/network.h"

namespace lathe::models {

// MACs of one node for a batch of one.
std::int64_t macs(const Network& network, const Node& node);
std::int64_t total_macs(const Network& network);
// Elements of all constants that training learns (see trainable_constants): what a framework reports as the number of parameters.
// Constants shared by several nodes count once; running statistics do not count.
std::int64_t total_parameters(const Network& network);

}  // namespace lathe::models
