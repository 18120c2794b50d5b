#include "models/tensor.h"

#include <bit>
#include <cstring>
#include <numeric>
#include <utility>

#include "models/network.h"

namespace lathe::models {
namespace {

// IEEE 754 binary16 to binary32: subnormals by scaling, infinities and NaN by widening the exponent.
float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1Fu, fraction = half & 0x3FFu;
  if (exponent == 0) {
    const float magnitude = static_cast<float>(fraction) * 0x1.0p-24f;
    return sign ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 0xFFu : exponent + (127 - 15);
  return std::bit_cast<float>(sign | (wide << 23) | (fraction << 13));
}

template <typename T, typename To>
std::vector<To> convert(const std::byte* bytes, std::int64_t count) {
  std::vector<To> out(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes + i * sizeof(T), sizeof(T));
    out[i] = static_cast<To>(value);
  }
  return out;
}

// float16 and bfloat16 are left to the caller: they have no C++ type.
template <typename To>
std::vector<To> convert(DataType type, const std::byte* bytes, std::int64_t count) {
  switch (type) {
    case DataType::kFloat32:
      return convert<float, To>(bytes, count);
    case DataType::kFloat64:
      return convert<double, To>(bytes, count);
    case DataType::kInt4:
    case DataType::kInt8:
      return convert<std::int8_t, To>(bytes, count);
    case DataType::kUint4:
    case DataType::kUint8:
      return convert<std::uint8_t, To>(bytes, count);
    case DataType::kBool:
      return convert<std::uint8_t, To>(bytes, count);
    case DataType::kInt16:
      return convert<std::int16_t, To>(bytes, count);
    case DataType::kUint16:
      return convert<std::uint16_t, To>(bytes, count);
    case DataType::kInt32:
      return convert<std::int32_t, To>(bytes, count);
    case DataType::kUint32:
      return convert<std::uint32_t, To>(bytes, count);
    case DataType::kInt64:
      return convert<std::int64_t, To>(bytes, count);
    case DataType::kUint64:
      return convert<std::uint64_t, To>(bytes, count);
    case DataType::kFloat16:
    case DataType::kBFloat16:
      break;
  }
  LATHE_CHECK(false) << "no conversion from " << to_string(type);
  return {};
}

bool is_float(DataType type) {
  return type == DataType::kFloat32 || type == DataType::kFloat64 || type == DataType::kFloat16 || type == DataType::kBFloat16;
}

}  // namespace

std::size_t size_of(DataType type) {
  switch (type) {
    case DataType::kInt4:
    case DataType::kUint4:
    case DataType::kInt8:
    case DataType::kUint8:
    case DataType::kBool:
      return 1;
    case DataType::kFloat16:
    case DataType::kBFloat16:
    case DataType::kInt16:
    case DataType::kUint16:
      return 2;
    case DataType::kFloat32:
    case DataType::kInt32:
    case DataType::kUint32:
      return 4;
    case DataType::kFloat64:
    case DataType::kInt64:
    case DataType::kUint64:
      return 8;
  }
  LATHE_CHECK(false) << "not a data type";
  return 0;
}

const char* to_string(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return "float32";
    case DataType::kFloat16:
      return "float16";
    case DataType::kBFloat16:
      return "bfloat16";
    case DataType::kFloat64:
      return "float64";
    case DataType::kInt4:
      return "int4";
    case DataType::kUint4:
      return "uint4";
    case DataType::kInt8:
      return "int8";
    case DataType::kUint8:
      return "uint8";
    case DataType::kInt16:
      return "int16";
    case DataType::kUint16:
      return "uint16";
    case DataType::kInt32:
      return "int32";
    case DataType::kUint32:
      return "uint32";
    case DataType::kInt64:
      return "int64";
    case DataType::kUint64:
      return "uint64";
    case DataType::kBool:
      return "bool";
  }
  return "unknown";
}

std::int64_t element_count(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    LATHE_CHECK_GE(extent, 0);
    count *= extent;
  }
  return count;
}

std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += shape[i] == kDynamic ? "N" : std::to_string(shape[i]);
  }
  return text + "]";
}

Tensor::Tensor(DataType type, Shape shape, std::vector<std::byte> bytes) : type_(type), shape_(std::move(shape)) {
  LATHE_CHECK_EQ(static_cast<std::size_t>(element_count(shape_)) * size_of(type_), bytes.size());
  bytes_ = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
}

Tensor Tensor::int64s(const std::vector<std::int64_t>& values) {
  return from({static_cast<std::int64_t>(values.size())}, values);
}

std::vector<std::int64_t> Tensor::to_int64s() const {
  LATHE_CHECK(!is_float(type_)) << "an integer tensor is wanted, this one holds " << to_string(type_);
  return convert<std::int64_t>(type_, bytes().data(), size());
}

std::vector<float> Tensor::to_floats() const {
  if (type_ != DataType::kFloat16 && type_ != DataType::kBFloat16) return convert<float>(type_, bytes().data(), size());
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(size()));
  for (const std::uint16_t bits : convert<std::uint16_t, std::uint16_t>(bytes().data(), size())) {
    out.push_back(type_ == DataType::kFloat16 ? half_to_float(bits) : std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
  }
  return out;
}

Tensor Tensor::reshaped(Shape shape) const {
  LATHE_CHECK_EQ(element_count(shape), size());
  Tensor out = *this;
  out.shape_ = std::move(shape);
  return out;
}

Tensor Tensor::index_select(std::int64_t axis, std::span<const std::int64_t> indices) const {
  LATHE_CHECK(axis >= 0 && axis < rank()) << "axis " << axis << " of " << to_string(shape_);
  const std::span<const std::int64_t> extents(shape_);
  const auto at = static_cast<std::size_t>(axis);
  const std::int64_t outer = element_count(extents.first(at));
  const std::size_t row = static_cast<std::size_t>(element_count(extents.subspan(at + 1))) * size_of(type_);
  const std::int64_t extent = shape_[at];

  std::vector<std::byte> out;
  out.reserve(static_cast<std::size_t>(outer) * indices.size() * row);
  for (std::int64_t o = 0; o < outer; ++o) {
    for (const std::int64_t index : indices) {
      LATHE_CHECK(index >= 0 && index < extent) << "index " << index << " of an axis of " << extent;
      const auto begin = bytes().begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(o * extent + index) * row);
      out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(row));
    }
  }
  Shape shape = shape_;
  shape[at] = static_cast<std::int64_t>(indices.size());
  return Tensor(type_, std::move(shape), std::move(out));
}

bool operator==(const Tensor& a, const Tensor& b) {
  if (a.type_ != b.type_ || a.shape_ != b.shape_) return false;
  if (a.bytes_ == b.bytes_) return true;
  const auto x = a.bytes(), y = b.bytes();
  return x.size() == y.size() && (x.empty() || std::memcmp(x.data(), y.data(), x.size()) == 0);
}

}  // namespace lathe::models
