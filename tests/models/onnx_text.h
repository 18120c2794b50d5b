// ONNX models for tests from ONNX's own text format (onnx/defs/parser.h), e.g.
//   <ir_version: 7, opset_import: ["" : 13]> net (float[N, 3] x) => (float[N, 3] y) { y = Relu(x) }
#pragma once

#include <gtest/gtest.h>
#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>

#include <string>

#include "models/network.h"
#include "models/onnx_reader.h"

namespace lathe::models {

inline onnx::ModelProto model_from_text(const std::string& text) {
  onnx::ModelProto model;
  const auto status = onnx::OnnxParser::Parse(model, text.c_str());
  EXPECT_TRUE(status.IsOK()) << status.ErrorMessage();
  return model;
}

// `body` without the header that names the opset.
inline Network network_from_text(const std::string& body, int opset = 13) {
  const std::string header = "<ir_version: 7, opset_import: [\"\" : " + std::to_string(opset) + "]> ";
  return parse_onnx(model_from_text(header + body).SerializeAsString(), "test.onnx");
}

// The message of the UserError that reading it gives; "" where it reads.
template <typename Function>
std::string user_error_of(Function function) {
  try {
    function();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

}  // namespace lathe::models
