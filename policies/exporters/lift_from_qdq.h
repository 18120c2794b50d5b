// A delivered file back into the simulation that it was lowered from: what lower_to_qdq does, undone. Exporters whose formats hold ranges,
// scales or trained weights read them from here.
#pragma once

#include "models/network.h"
#include "policies/policy.h"

namespace lathe::policies {

// QuantizeLinear/DequantizeLinear pairs become FakeQuantize nodes on float values and float weights; weights stored in half the width and
// biases stored as integers become float constants of the same numbers. Widths of weights are the policy's (the file stores all of them in
// bytes), those of activations the file's. Values are named after the node that makes them. Activations that lowering dropped stay
// dropped, since the quantization does their work.
// Throws UserError where the file does not fit the policy: a layer that is missing, a weight that its width cannot hold, an activation of
// another width.
models::Network lift_from_qdq(const models::Network& delivered, const Policy& policy);

}  // namespace lathe::policies
