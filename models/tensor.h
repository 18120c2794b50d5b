// A dense, row-major array as a value: the weights and constants of a Network. Free of LibTorch, so that everything which only
// rewrites graphs builds and starts fast. The bytes are immutable and shared between copies: a policy that touches two layers
// shares all others with the network that it came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/base/check.h"

namespace lathe::models {

// kInt4 and kUint4 say how a tensor is stored in a file, two elements a byte; in memory each element is an int8 or uint8.
enum class DataType {
  kFloat32,
  kFloat16,
  kBFloat16,
  kFloat64,
  kInt4,
  kUint4,
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kBool
};

std::size_t size_of(DataType type);    // bytes an element in memory
const char* to_string(DataType type);  // "float32", ...

template <typename T>
struct DataTypeOf;  // float, double, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t, bool
template <>
struct DataTypeOf<float> {
  static constexpr DataType value = DataType::kFloat32;
};
template <>
struct DataTypeOf<double> {
  static constexpr DataType value = DataType::kFloat64;
};
template <>
struct DataTypeOf<std::int8_t> {
  static constexpr DataType value = DataType::kInt8;
};
template <>
struct DataTypeOf<std::uint8_t> {
  static constexpr DataType value = DataType::kUint8;
};
template <>
struct DataTypeOf<std::int16_t> {
  static constexpr DataType value = DataType::kInt16;
};
template <>
struct DataTypeOf<std::uint16_t> {
  static constexpr DataType value = DataType::kUint16;
};
template <>
struct DataTypeOf<std::int32_t> {
  static constexpr DataType value = DataType::kInt32;
};
template <>
struct DataTypeOf<std::uint32_t> {
  static constexpr DataType value = DataType::kUint32;
};
template <>
struct DataTypeOf<std::int64_t> {
  static constexpr DataType value = DataType::kInt64;
};
template <>
struct DataTypeOf<std::uint64_t> {
  static constexpr DataType value = DataType::kUint64;
};
template <>
struct DataTypeOf<bool> {
  static constexpr DataType value = DataType::kBool;
};

using Shape = std::vector<std::int64_t>;

std::int64_t element_count(std::span<const std::int64_t> shape);  // 1 for a scalar; every extent must be >= 0
std::string to_string(const Shape& shape);                        // "[N, 3, 32, 32]"; kDynamic prints as N

class Tensor {
 public:
  Tensor() = default;  // float32, shape [0]
  // `bytes` must hold element_count(shape) elements of `type`, little endian.
  Tensor(DataType type, Shape shape, std::vector<std::byte> bytes);

  template <typename T>
  static Tensor from(Shape shape, std::span<const T> values) {
    const auto bytes = std::as_bytes(values);
    return Tensor(DataTypeOf<T>::value, std::move(shape), std::vector<std::byte>(bytes.begin(), bytes.end()));
  }
  template <typename T>
  static Tensor from(Shape shape, const std::vector<T>& values) {
    return from<T>(std::move(shape), std::span<const T>(values));
  }
  static Tensor scalar(float value) { return from<float>({}, std::span<const float>(&value, 1)); }
  static Tensor int64s(const std::vector<std::int64_t>& values);  // one-dimensional

  DataType type() const { return type_; }
  const Shape& shape() const { return shape_; }
  std::int64_t rank() const { return static_cast<std::int64_t>(shape_.size()); }
  std::int64_t size() const { return element_count(shape_); }
  std::span<const std::byte> bytes() const { return bytes_ ? std::span<const std::byte>(*bytes_) : std::span<const std::byte>(); }

  // The elements; T must be the stored type.
  template <typename T>
  std::span<const T> values() const {
    LATHE_CHECK(type_ == DataTypeOf<T>::value) << "tensor holds " << to_string(type_);
    return {reinterpret_cast<const T*>(bytes().data()), static_cast<std::size_t>(size())};
  }
  // The elements of any integer or bool tensor widened to int64.
  std::vector<std::int64_t> to_int64s() const;
  // The elements of any tensor converted to float.
  std::vector<float> to_floats() const;

  Tensor reshaped(Shape shape) const;  // same element count, shares the bytes
  // Keeps the elements of `axis` whose index is listed (in that order, repetition allowed).
  Tensor index_select(std::int64_t axis, std::span<const std::int64_t> indices) const;

  friend bool operator==(const Tensor& a, const Tensor& b);  // type, shape and bytes

 private:
  DataType type_ = DataType::kFloat32;
  Shape shape_{0};
  std::shared_ptr<const std::vector<std::byte>> bytes_;
};

}  // namespace lathe::models
