// The first half of reading an ONNX file: bytes into a ModelProto that is known to be well formed.
#pragma once

#include <onnx/onnx_pb.h>

#include <string>

#include "models/internal/opset_21.h"

namespace lathe::models::internal {

inline constexpr int kOldestOpset = 11, kNewestOpset = 21;
inline constexpr int kNewestIrVersion = 8;  // that libonnx 1.12 knows

struct LoadedModel {
  onnx::ModelProto model;  // of opset 17 at most
  FourBitTensors four_bit;
};

// Parses and checks: opset, operators (all that are not supported in one error), external data (read from `directory` into the
// model; "" = not allowed), ONNX checker. Throws UserError without a file name.
LoadedModel load_model(const std::string& bytes, const std::string& directory);

// Opset of the default domain.
int opset_of(const onnx::ModelProto& model);

}  // namespace lathe::models::internal
