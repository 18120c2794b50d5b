// Biases as integer kernels add them: to the accumulator of input levels times weight levels, whose unit is s_input * s_weight.
#pragma once

#include "models/network.h"

namespace lathe::policies {

// The bias of a Conv or Gemm as one number an output channel; null where there is none, or it is computed, or scaled by the layer.
const models::Tensor* plain_bias(const models::Network& network, const models::Node& layer);

// Rounds the biases of layers whose input and weight go through FakeQuantize of at most 8 bits to multiples of s_input * s_weight, so that
// the simulation computes what is delivered (below 8 bits the unit is coarse enough to matter). A channel whose weights are all but zero
// has a scale so small that its bias would not fit int32 as a multiple of it: such a scale is raised, which costs its weights less than
// 2^-30 of the bias. Doing it twice changes nothing.
models::Network align_biases(const models::Network& network);

}  // namespace lathe::policies
