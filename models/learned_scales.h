// FakeQuantize nodes whose scale is trained: the attribute scale_gradient, "lsq" or "pact", says by which rule (see
// kernels/learned_quantization.h), and gradient_scale (float) what the gradient is multiplied by. Without them the scale is no parameter.
#pragma once

#include "models/network.h"

namespace lathe::models {

inline bool learns_scale(const Node& node) {
  return node.op == "FakeQuantize" && node.domain == kLatheDomain && node.attributes.contains("scale_gradient");
}

}  // namespace lathe::models
