// Which operators run as part of another one, the way that runtimes and compilers fuse them: the result of a convolution passes through
// BatchNormalization and activation while it is still in registers.
#pragma once

#include <vector>

#include "models/network.h"

namespace lathe::policies {

struct Fusion {
  // For each node the node that it rides on (itself if it runs on its own); -1 for nodes that cost nothing and belong to nobody: views of
  // network inputs or of values that several operators read, and nodes that compute with constants alone.
  std::vector<int> root;
};

// A pointwise node rides on the product (Conv, MatMul, ...), pointwise node or reduction that makes all its computed inputs, if nothing
// else reads those; chains follow, so that x * sigmoid(x) and GELU spelled out ride on what makes x. Arithmetic between x and a reduction
// of x (the mean in a LayerNorm spelled out) rides on the reduction, and so do later reductions of that chain.
Fusion fuse(const models::Network& network);

}  // namespace lathe::policies
