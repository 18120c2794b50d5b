// Shapes for a known batch size. Value::shape says only that an extent depends on the batch; after a Reshape it may be a multiple of
// it (batch x heads). MAC counts and memory need the number.
#pragma once

#include <cstdint>
#include <vector>

#include "models/network.h"

namespace lathe::models {

// The shape of each value when the first extent of each input is `batch`. Extents that are known stay; dynamic ones are carried from
// the inputs of a node to its outputs: Reshape and Flatten keep the number of elements, Concat adds, all others keep the extent.
std::vector<Shape> shapes_at_batch(const Network& network, std::int64_t batch);

}  // namespace lathe::models
