// The first half of reading an ONNX file: bytes into a ModelProto that is known to be well formed.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>

namespace lathe::models::internal {

inline constexpr int kOldestOpset = 11, kNewestOpset = 17;  // libonnx 1.12 knows no newer one
inline constexpr int kNewestIrVersion = 8;

// Parses and checks: opset, operators (all that are not supported in one error), external data (read from `directory` into the
// model; "" = not allowed), ONNX checker. Throws UserError without a file name.
onnx::ModelProto load_model(const std::string& bytes, const std::string& directory);

// Opset of the default domain.
int opset_of(const onnx::ModelProto& model);

}  // namespace lathe::models::internal
