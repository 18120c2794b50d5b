// Between protobuf messages of ONNX and our own values.
#pragma once

#include <onnx/onnx_pb.h>

#include <optional>
#include <string>

#include "models/network.h"

namespace lathe::models::internal {

// nullopt for types that a Network cannot hold (strings, complex numbers, ...).
std::optional<DataType> data_type_of(int onnx_type);
int onnx_type_of(DataType type);            // INT8 and UINT8 for 4 bits, which libonnx does not know (see opset_21.h)
std::string onnx_type_name(int onnx_type);  // "STRING", for messages

// Throws UserError (key = the tensor's name): a type that is not supported, or fewer bytes than the shape asks for.
Tensor tensor_of(const onnx::TensorProto& proto);
onnx::TensorProto proto_of(const Tensor& tensor, const std::string& name);

// Throws UserError for attributes that hold graphs, sparse tensors or lists of strings or tensors.
Attribute attribute_of(const onnx::AttributeProto& proto);
onnx::AttributeProto proto_of(const Attribute& attribute, const std::string& name);

// TypeProto of a dense tensor; every extent must be known.
onnx::TypeProto type_proto_of(DataType type, const Shape& shape);

// The first line of a library's error message, without its decoration.
std::string one_line(const std::string& message);

}  // namespace lathe::models::internal
