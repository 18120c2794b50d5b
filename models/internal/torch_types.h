// Element types of Networks and of LibTorch.
#pragma once

#include <c10/core/ScalarType.h>

#include "models/tensor.h"

namespace lathe::models::internal {

// The type that values of `type` have while the network runs: half-width floats are computed in float32 (CPU convolutions know no
// others), unsigned integers beyond 8 bits in the next wider signed type.
inline at::ScalarType execution_type(DataType type) {
  switch (type) {
    case DataType::kFloat32:
    case DataType::kFloat16:
    case DataType::kBFloat16:
      return at::kFloat;
    case DataType::kFloat64:
      return at::kDouble;
    case DataType::kInt4:
    case DataType::kInt8:
      return at::kChar;
    case DataType::kUint4:
    case DataType::kUint8:
      return at::kByte;
    case DataType::kInt16:
      return at::kShort;
    case DataType::kUint16:
    case DataType::kInt32:
      return at::kInt;
    case DataType::kUint32:
    case DataType::kInt64:
    case DataType::kUint64:
      return at::kLong;
    case DataType::kBool:
      return at::kBool;
  }
  return at::kFloat;
}

}  // namespace lathe::models::internal
