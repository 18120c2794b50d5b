#include "models/onnx_skeleton.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/onnx_pb.h>

#include <algorithm>

#include "models/base/error.h"
#include "models/internal/onnx_proto.h"
#include "models/internal/opset_21.h"
#include "models/internal/sparse_proto.h"

namespace lathe::models {
namespace {

onnx::ModelProto parse(const std::string& bytes) {
  onnx::ModelProto model;
  if (!model.ParseFromString(bytes)) throw UserError("no ONNX graph");
  return model;
}

std::string serialize(const onnx::ModelProto& model) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  LATHE_CHECK(model.SerializeToCodedStream(&coded));
  coded.Trim();
  return bytes;
}

template <typename Proto>
void check_shape(const Proto& proto, const std::string& name, const Tensor& tensor) {
  if (!std::equal(proto.dims().begin(), proto.dims().end(), tensor.shape().begin(), tensor.shape().end()))
    throw UserError("constant '" + name + "' has another shape in the graph");
}

}  // namespace

std::string without_tensor_data(const std::string& onnx, const std::set<std::string>& names) {
  onnx::ModelProto model = parse(onnx);
  for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (names.contains(tensor.name())) tensor.clear_raw_data();
  }
  for (auto& sparse : *model.mutable_graph()->mutable_sparse_initializer()) {
    if (!names.contains(sparse.values().name())) continue;
    sparse.mutable_values()->clear_raw_data();
    sparse.mutable_indices()->clear_raw_data();
  }
  return serialize(model);
}

std::string with_tensor_data(const std::string& skeleton, const std::map<std::string, Tensor>& tensors) {
  onnx::ModelProto model = parse(skeleton);
  std::size_t found = 0;
  for (auto& proto : *model.mutable_graph()->mutable_initializer()) {
    const auto tensor = tensors.find(proto.name());
    if (tensor == tensors.end()) continue;
    check_shape(proto, proto.name(), tensor->second);
    proto = internal::file_proto_of(tensor->second, proto.name());
    ++found;
  }
  for (auto& proto : *model.mutable_graph()->mutable_sparse_initializer()) {
    const std::string name = proto.values().name();
    const auto tensor = tensors.find(name);
    if (tensor == tensors.end()) continue;
    check_shape(proto, name, tensor->second);
    proto = internal::proto_of(internal::non_zeros_of(tensor->second), tensor->second.shape(), name);
    ++found;
  }
  if (found != tensors.size()) throw UserError("the graph has not all of the constants");
  return serialize(model);
}

}  // namespace lathe::models
