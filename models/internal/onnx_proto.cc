#include "models/internal/onnx_proto.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <string_view>

#include "models/base/error.h"

namespace lathe::models::internal {
namespace {

using Bytes = std::vector<std::byte>;

// Elements of a repeated protobuf field, narrowed to T.
template <typename T, typename Field>
Bytes narrowed(const Field& field) {
  Bytes bytes(static_cast<std::size_t>(field.size()) * sizeof(T));
  for (int i = 0; i < field.size(); ++i) {
    const T value = static_cast<T>(field.Get(i));
    std::memcpy(bytes.data() + static_cast<std::size_t>(i) * sizeof(T), &value, sizeof(T));
  }
  return bytes;
}

Bytes typed_field_bytes(const onnx::TensorProto& proto, DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return narrowed<float>(proto.float_data());
    case DataType::kFloat64:
      return narrowed<double>(proto.double_data());
    case DataType::kInt64:
      return narrowed<std::int64_t>(proto.int64_data());
    case DataType::kUint64:
      return narrowed<std::uint64_t>(proto.uint64_data());
    case DataType::kUint32:
      return narrowed<std::uint32_t>(proto.uint64_data());
    case DataType::kInt32:
      return narrowed<std::int32_t>(proto.int32_data());
    case DataType::kInt16:
      return narrowed<std::int16_t>(proto.int32_data());
    case DataType::kUint16:
    case DataType::kFloat16:
    case DataType::kBFloat16:
      return narrowed<std::uint16_t>(proto.int32_data());
    case DataType::kInt4:
    case DataType::kInt8:
      return narrowed<std::int8_t>(proto.int32_data());
    case DataType::kUint4:
    case DataType::kUint8:
    case DataType::kBool:
      return narrowed<std::uint8_t>(proto.int32_data());
  }
  return {};
}

Fault fault_of(const onnx::TensorProto& proto, const std::string& what) {
  return {.key = proto.name().empty() ? "unnamed tensor" : "tensor " + proto.name(), .expected = what};
}

// The shape, if its extents are legal and its bytes countable.
Shape checked_shape(const onnx::TensorProto& proto, DataType type) {
  Shape shape(proto.dims().begin(), proto.dims().end());
  std::int64_t count = static_cast<std::int64_t>(size_of(type));
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count))
      throw UserError(fault_of(proto, "shape is not legal: " + to_string(shape)));
  }
  return shape;
}

}  // namespace

std::optional<DataType> data_type_of(int onnx_type) {
  switch (onnx_type) {
    case onnx::TensorProto::FLOAT:
      return DataType::kFloat32;
    case onnx::TensorProto::FLOAT16:
      return DataType::kFloat16;
    case onnx::TensorProto::BFLOAT16:
      return DataType::kBFloat16;
    case onnx::TensorProto::DOUBLE:
      return DataType::kFloat64;
    case onnx::TensorProto::INT8:
      return DataType::kInt8;
    case onnx::TensorProto::UINT8:
      return DataType::kUint8;
    case onnx::TensorProto::INT16:
      return DataType::kInt16;
    case onnx::TensorProto::UINT16:
      return DataType::kUint16;
    case onnx::TensorProto::INT32:
      return DataType::kInt32;
    case onnx::TensorProto::UINT32:
      return DataType::kUint32;
    case onnx::TensorProto::INT64:
      return DataType::kInt64;
    case onnx::TensorProto::UINT64:
      return DataType::kUint64;
    case onnx::TensorProto::BOOL:
      return DataType::kBool;
    default:
      return std::nullopt;
  }
}

int onnx_type_of(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return onnx::TensorProto::FLOAT;
    case DataType::kFloat16:
      return onnx::TensorProto::FLOAT16;
    case DataType::kBFloat16:
      return onnx::TensorProto::BFLOAT16;
    case DataType::kFloat64:
      return onnx::TensorProto::DOUBLE;
    case DataType::kInt4:
    case DataType::kInt8:
      return onnx::TensorProto::INT8;
    case DataType::kUint4:
    case DataType::kUint8:
      return onnx::TensorProto::UINT8;
    case DataType::kInt16:
      return onnx::TensorProto::INT16;
    case DataType::kUint16:
      return onnx::TensorProto::UINT16;
    case DataType::kInt32:
      return onnx::TensorProto::INT32;
    case DataType::kUint32:
      return onnx::TensorProto::UINT32;
    case DataType::kInt64:
      return onnx::TensorProto::INT64;
    case DataType::kUint64:
      return onnx::TensorProto::UINT64;
    case DataType::kBool:
      return onnx::TensorProto::BOOL;
  }
  return onnx::TensorProto::UNDEFINED;
}

std::string onnx_type_name(int onnx_type) {
  if (!onnx::TensorProto::DataType_IsValid(onnx_type)) return std::to_string(onnx_type);
  return onnx::TensorProto::DataType_Name(static_cast<onnx::TensorProto::DataType>(onnx_type));
}

Tensor tensor_of(const onnx::TensorProto& proto) {
  const std::optional<DataType> type = data_type_of(proto.data_type());
  if (!type) throw UserError(fault_of(proto, "element type " + onnx_type_name(proto.data_type()) + " is not supported"));
  Shape shape = checked_shape(proto, *type);
  Bytes bytes;
  if (proto.has_raw_data()) {
    const auto raw = std::as_bytes(std::span<const char>(proto.raw_data().data(), proto.raw_data().size()));
    bytes.assign(raw.begin(), raw.end());
  } else {
    bytes = typed_field_bytes(proto, *type);
  }
  const std::size_t wanted = static_cast<std::size_t>(element_count(shape)) * size_of(*type);
  if (bytes.size() != wanted) {
    throw UserError(fault_of(proto, "shape " + to_string(shape) + " takes " + std::to_string(wanted) + " bytes of data, the file has " +
                                        std::to_string(bytes.size())));
  }
  return Tensor(*type, std::move(shape), std::move(bytes));
}

onnx::TensorProto proto_of(const Tensor& tensor, const std::string& name) {
  onnx::TensorProto proto;
  proto.set_name(name);
  proto.set_data_type(onnx_type_of(tensor.type()));
  for (const std::int64_t extent : tensor.shape()) proto.add_dims(extent);
  proto.set_raw_data(tensor.bytes().data(), tensor.bytes().size());
  return proto;
}

Attribute attribute_of(const onnx::AttributeProto& proto) {
  switch (proto.type()) {
    case onnx::AttributeProto::INT:
      return proto.i();
    case onnx::AttributeProto::FLOAT:
      return proto.f();
    case onnx::AttributeProto::STRING:
      return proto.s();
    case onnx::AttributeProto::INTS:
      return std::vector<std::int64_t>(proto.ints().begin(), proto.ints().end());
    case onnx::AttributeProto::FLOATS:
      return std::vector<float>(proto.floats().begin(), proto.floats().end());
    case onnx::AttributeProto::TENSOR:
      return tensor_of(proto.t());
    default:
      throw UserError(Fault{.expected = "attribute '" + proto.name() + "' has a type that is not supported"});
  }
}

onnx::AttributeProto proto_of(const Attribute& attribute, const std::string& name) {
  onnx::AttributeProto proto;
  proto.set_name(name);
  if (const auto* i = std::get_if<std::int64_t>(&attribute)) {
    proto.set_type(onnx::AttributeProto::INT);
    proto.set_i(*i);
  } else if (const auto* f = std::get_if<float>(&attribute)) {
    proto.set_type(onnx::AttributeProto::FLOAT);
    proto.set_f(*f);
  } else if (const auto* s = std::get_if<std::string>(&attribute)) {
    proto.set_type(onnx::AttributeProto::STRING);
    proto.set_s(*s);
  } else if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&attribute)) {
    proto.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t value : *ints) proto.add_ints(value);
  } else if (const auto* floats = std::get_if<std::vector<float>>(&attribute)) {
    proto.set_type(onnx::AttributeProto::FLOATS);
    for (const float value : *floats) proto.add_floats(value);
  } else {
    proto.set_type(onnx::AttributeProto::TENSOR);
    *proto.mutable_t() = proto_of(std::get<Tensor>(attribute), "");
  }
  return proto;
}

onnx::TypeProto type_proto_of(DataType type, const Shape& shape) {
  onnx::TypeProto proto;
  auto* tensor = proto.mutable_tensor_type();
  tensor->set_elem_type(onnx_type_of(type));
  auto* dims = tensor->mutable_shape();
  for (const std::int64_t extent : shape) dims->add_dim()->set_dim_value(extent);
  return proto;
}

std::string one_line(const std::string& message) {
  std::string line;
  for (const char c : message) {
    const char shown = c == '\n' || c == '\t' || c == '\r' ? ' ' : c;
    if (shown == ' ' && (line.empty() || line.back() == ' ')) continue;
    line += shown;
  }
  for (const std::string_view decoration : {"[ShapeInferenceError] ", "[TypeInferenceError] "}) {
    if (const auto at = line.find(decoration); at != std::string::npos) line.erase(at, decoration.size());
  }
  // LibTorch appends its call stack, ONNX the whole node.
  for (const std::string_view tail : {" Exception raised from", " ==> Context:"}) {
    if (const auto at = line.find(tail); at != std::string::npos) line.erase(at);
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

}  // namespace lathe::models::internal
