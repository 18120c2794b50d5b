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
    bool is_dynamic = false;   // 8 bits in the range of each input: nothing to observe
    bool operator==(const Point&) const = default;
  };
  std::vector<Point> points;
};
// Inputs of layers whose activations are integers, and at 8 bits what an Add of two activations, a Concat or an average pooling reads
// where it lies between quantized layers, so that runtimes run whole blocks in integer arithmetic. A value is quantized before operators
// that only copy elements (Flatten, Slice, zero Pad, MaxPool), so that both branches of a shortcut share it. Values read at one width share
// a point. Dynamic layers quantize right in front of themselves, and count as float to their neighbours. Throws UserError for layers that
// the network lacks or that cannot be quantized, and for formats that cannot be simulated.
ActivationPlan plan_activations(const models::Network& network, const Policy& policy);

// Inserts FakeQuantize on weights (by channel or tensor, from the weights) and on the plan's points (asymmetric per tensor, from `ranges`,
// one a point, that of dynamic ones unused). Weights of other formats are rounded to them instead. Layers that the policy leaves out stay
// float. Biases stay float numbers, but multiples of s_input * s_weight where both are integers (see bias_alignment.h), as they are
// delivered.
models::Network insert_fake_quantize(const models::Network& network, const Policy& policy, const ActivationPlan& plan,
                                     const std::vector<Range>& ranges, RangeMethod weight_method = RangeMethod::kMse);

// Scale, zero point and levels of a FakeQuantize node.
QuantizationParameters parameters_of(const models::Network& network, const models::Node& fake_quantize);

// FakeQuantize of constants computed once: the same outputs, but faster where nothing is trained.
models::Network bake_weight_quantization(const models::Network& network);

// The ONNX types of integer weights in a delivered file. kInt4: weights of at most 4 bits as INT4, two a byte, which takes opset 21; all
// others as kInt8 has them.
enum class IntegerTypes { kInt8, kInt4 };
IntegerTypes parse_integer_types(const std::string& name);  // "int8", "int4"; throws UserError

// For delivery, from what insert_fake_quantize returned (trained or not):
// - weights of width <= 8 as int8 (or int4) with DequantizeLinear; wider ones as float16 or bfloat16 and a Cast where that loses nothing;
// - activations of width <= 8 as uint8 QuantizeLinear/DequantizeLinear, narrower ones with an integer Clip between the two (they take no
//   room in a file, and runtimes have kernels for uint8);
// - dynamic activations as DynamicQuantizeLinear/DequantizeLinear;
// - operators that only move elements run on the integers; activations that the quantization clips anyway are dropped;
// - biases of layers with integer inputs and weights as int32 with scale s_input * s_weight.
// What remains float runs as float. At least opset 13. Differs from the simulation by rounding only.
models::Network lower_to_qdq(const models::Network& network, IntegerTypes types = IntegerTypes::kInt8);

// Weight bytes when each weight is stored at its width, sparse ones without their zeros (sparse_storage.h); float weights that lose nothing
// by it in 16 bits; scales as float32, biases and all other parameters as float32 or int32. It is what pack_network() writes of the network
// that is delivered, unless training made its weights float32 or bias correction added biases.
std::int64_t packed_bytes(const models::Network& network, const Policy& policy);

}  // namespace lathe::policies
