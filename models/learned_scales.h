// FakeQuantize nodes whose scale is trained: the attribute scale_gradient, "lsq" or "pact", says by which rule (see
// kernels/learned_quantization.h), and gradient_scale (float) what the gradient is multiplied by. Without them the scale is no parameter. A
// fourth input is an offset that is trained too, float32 of the scale's shape; the zero point is not read then.
#pragma once

#include "models/network.h"

namespace lathe::models {

inline bool learns_scale(const Node& node) {
  return node.op == "FakeQuantize" && node.domain == kLatheDomain && node.attributes.contains("scale_gradient");
}

inline bool learns_offset(const Node& node) {
  return learns_scale(node) && node.inputs.size() > 3;
}

}  // namespace lathe::models
