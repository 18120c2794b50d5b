// Quantization as a graph transformation: FakeQuantize nodes for simulation and training, QuantizeLinear/DequantizeLinear for delivery.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/policy.h"
#include "policies/quantizer.h"

namespace lathe::policies {

// Where activations are to be observed, and at which width each is quantized. Call on the pruned, BatchNorm-folded network.
struct ActivationPlan {
  struct Point {
    models::ValueId value;  // to be quantized
    int bits;
    std::vector<int> readers;  // nodes that read the quantized value (others read the float one)
    bool operator==(const Point&) const = default;
  };
  std::vector<Point> points;
};
// Inputs of layers with activation_bits <= 16, and the operands of residual Adds between quantized layers (at 8 bits or the readers'
// width if larger), so that runtimes fuse whole blocks to integer arithmetic. Values read at one width share a point.
ActivationPlan plan_activations(const models::Network& network, const Policy& policy);

// Inserts FakeQuantize on weights (per channel, from the weights) and on the plan's points (asymmetric per tensor, from `ranges`, one a
// point). 16-bit float formats round the weights to them instead. Layers that the policy leaves out stay float.
models::Network insert_fake_quantize(const models::Network& network, const Policy& policy, const ActivationPlan& plan,
                                     const std::vector<Range>& ranges, RangeMethod weight_method = RangeMethod::kMse);

// For delivery: weights stored as int8 (widths <= 8) with DequantizeLinear, activations of width <= 8 as uint8 QuantizeLinear/
// DequantizeLinear (narrower widths by a Clip to the narrower range before), biases as int32; wider ones stay float.
models::Network lower_to_qdq(const models::Network& network);

// Weight bytes when each weight is stored at its width (scales as float32, biases as int32 or float32).
std::int64_t packed_bytes(const models::Network& network, const Policy& policy);

}  // namespace lathe::policies
