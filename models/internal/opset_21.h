// Files of opsets 18 to 21 by way of opset 17, the newest that libonnx 1.12 knows and that a Network holds. What the newer opsets changed
// of the operators that Lathe executes is small (ONNX, docs/Changelog.md): axes of reductions and the number of a Split's parts moved, and
// 4-bit integers came, two a byte, the first in the low half (onnx.proto, TensorProto.int32_data).
#pragma once

#include <onnx/onnx_pb.h>

#include <map>
#include <string>

#include "models/tensor.h"

namespace lathe::models::internal {

inline constexpr int kInt4Opset = 21;

// By the name of an initializer that has 4 bits in the file and a byte an element in the message: kInt4 or kUint4.
using FourBitTensors = std::map<std::string, DataType>;

// Rewrites a model of opset 18 to 21 for opset 17 and says which initializers had 4 bits. What cannot be said there is left as it is, for
// the checker to refuse. Throws UserError (key = the tensor's or node's name): too few bytes, activations of 4 bits.
FourBitTensors lower_to_opset_17(onnx::ModelProto& model);

// A tensor as files have it: kInt4 and kUint4 packed, all others by proto_of().
onnx::TensorProto file_proto_of(const Tensor& tensor, const std::string& name);

// The other way, for a model that has passed the checker: packs the named initializers. Values must lie in -8..7 and 0..15.
void lift_to_opset_21(onnx::ModelProto& model, const FourBitTensors& four_bit);

}  // namespace lathe::models::internal
