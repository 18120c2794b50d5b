// Activations that quantization does anyway.
#pragma once

#include "models/network.h"

namespace lathe::policies {

// Drops Relu and Clip whose readers are all FakeQuantize nodes of at most 8 bits that clip at least as much: below zero where the zero
// point is 0, above where the largest level lies within the bound. No value that is left changes.
models::Network drop_redundant_activations(const models::Network& network);

}  // namespace lathe::policies
