// Tensors without their zeros: ONNX's SparseTensorProto, whose positions count elements in row-major order.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>

#include "models/tensor.h"

namespace lathe::models::internal {

struct NonZeros {
  Tensor values;     // [K], the type of the tensor
  Tensor positions;  // [K], int64, ascending
};
// Elements that are not zero; -0.0 is.
NonZeros non_zeros_of(const Tensor& tensor);
onnx::SparseTensorProto proto_of(const NonZeros& kept, const Shape& shape, const std::string& name);

// The dense tensor. Throws UserError (key = the tensor's name): positions other than one int64 a value, out of range, or a tensor of more
// than 2^31 elements.
Tensor tensor_of(const onnx::SparseTensorProto& proto);

}  // namespace lathe::models::internal
