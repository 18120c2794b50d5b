// Networks into ONNX files that ONNX Runtime and other tools open. FakeQuantize nodes must have been lowered to
// QuantizeLinear/DequantizeLinear before (policies/quantize_network.h).
#pragma once

#include <string>

#include "models/network.h"

namespace lathe::models {

// Bytes of a ModelProto, IR version 8 at most, opset of the network, checked by the ONNX checker. Deterministic.
std::string serialize_onnx(const Network& network);
// Writes to a temporary file beside `path` and renames. Throws UserError where the place cannot be written.
void write_onnx(const Network& network, const std::string& path);

}  // namespace lathe::models
