// Networks into ONNX files that ONNX Runtime and other tools open. FakeQuantize nodes must have been lowered to
// QuantizeLinear/DequantizeLinear before (policies/quantize_network.h).
#pragma once

#include <string>

#include "models/network.h"

namespace lathe::models {

// How matrices and kernels with many zeros are written: kWhereSmaller leaves the zeros out (sparse_initializer) where positions, 8 bytes
// each as ONNX has them, and the other elements take fewer bytes than all elements. ONNX Runtime reads them; many other tools do not.
enum class SparseInitializers { kNever, kWhereSmaller };

// Bytes of a ModelProto, IR version 8 at most, opset of the network, checked by the ONNX checker. With constants of 4 bits opset 21 and IR
// version 10. Deterministic.
std::string serialize_onnx(const Network& network, SparseInitializers sparse = SparseInitializers::kNever);
// Writes to a temporary file beside `path` and renames. Throws UserError where the place cannot be written.
void write_onnx(const Network& network, const std::string& path, SparseInitializers sparse = SparseInitializers::kNever);

}  // namespace lathe::models
