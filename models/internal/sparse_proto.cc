#include "models/internal/sparse_proto.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <vector>

#include "models/base/error.h"
#include "models/internal/onnx_proto.h"

namespace lathe::models::internal {
namespace {

[[noreturn]] void refuse(const onnx::SparseTensorProto& proto, const std::string& expected) {
  throw UserError(Fault{.key = proto.values().name(), .expected = expected});
}

Shape checked_shape(const onnx::SparseTensorProto& proto) {
  constexpr std::int64_t kMostElements = std::int64_t{1} << 31;  // a few bytes of a file must not ask for all memory
  Shape shape(proto.dims().begin(), proto.dims().end());
  std::int64_t elements = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || extent > kMostElements || (elements *= extent) > kMostElements)
      refuse(proto, "sparse tensor of shape " + to_string(shape) + " is not supported");
  }
  return shape;
}

bool has_sign_bit(DataType type) {
  return type == DataType::kFloat32 || type == DataType::kFloat16 || type == DataType::kBFloat16 || type == DataType::kFloat64;
}

// Little endian, so that the last byte holds the sign: -0.0 is a zero too, which folding a negative scale into a pruned weight gives.
bool is_zero(std::span<const std::byte> element, bool has_sign) {
  const std::byte last = has_sign ? element.back() & std::byte{0x7f} : element.back();
  return last == std::byte{0} && std::all_of(element.begin(), element.end() - 1, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

NonZeros non_zeros_of(const Tensor& tensor) {
  const auto bytes = tensor.bytes();
  const std::size_t width = size_of(tensor.type());
  const bool has_sign = has_sign_bit(tensor.type());
  std::vector<std::byte> values;
  std::vector<std::int64_t> positions;
  for (std::size_t i = 0; i * width < bytes.size(); ++i) {
    const auto element = bytes.subspan(i * width, width);
    if (is_zero(element, has_sign)) continue;
    values.insert(values.end(), element.begin(), element.end());
    positions.push_back(static_cast<std::int64_t>(i));
  }
  const auto count = static_cast<std::int64_t>(positions.size());
  return {.values = Tensor(tensor.type(), {count}, std::move(values)), .positions = Tensor::int64s(positions)};
}

onnx::SparseTensorProto proto_of(const NonZeros& kept, const Shape& shape, const std::string& name) {
  onnx::SparseTensorProto proto;
  *proto.mutable_values() = proto_of(kept.values, name);
  *proto.mutable_indices() = proto_of(kept.positions, name + ".positions");
  for (const std::int64_t extent : shape) proto.add_dims(extent);
  return proto;
}

Tensor tensor_of(const onnx::SparseTensorProto& proto) {
  const Tensor values = tensor_of(proto.values()), positions = tensor_of(proto.indices());
  const Shape shape = checked_shape(proto);
  if (positions.type() != DataType::kInt64 || positions.rank() != 1 || values.rank() != 1 || positions.size() != values.size())
    refuse(proto, "expected one position (int64) for each value of a sparse tensor");
  const std::size_t width = size_of(values.type());
  std::vector<std::byte> bytes(static_cast<std::size_t>(element_count(shape)) * width);
  for (std::int64_t i = 0; i < positions.size(); ++i) {
    const std::int64_t position = positions.values<std::int64_t>()[static_cast<std::size_t>(i)];
    if (position < 0 || position >= element_count(shape))
      refuse(proto, "position " + std::to_string(position) + " lies outside of " + to_string(shape));
    std::memcpy(&bytes[static_cast<std::size_t>(position) * width], &values.bytes()[static_cast<std::size_t>(i) * width], width);
  }
  return Tensor(values.type(), shape, std::move(bytes));
}

}  // namespace lathe::models::internal
