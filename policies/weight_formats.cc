#include "policies/weight_formats.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

namespace lathe::policies {
namespace {

using models::Tensor;

// A binary floating-point format: bits of significand with the implied one, exponent of the smallest normal number, largest finite value.
struct FloatFormat {
  int precision;
  int min_exponent;
  double largest;
};
constexpr FloatFormat kHalf{11, -14, 65504.0};
constexpr FloatFormat kBfloat{8, -126, 0x1.FEp127};
constexpr FloatFormat kTf32{11, -126, 0x1.FFCp127};
constexpr FloatFormat kE4M3{4, -6, 448.0};

float round_to(const FloatFormat& format, double value) {
  if (value == 0 || !std::isfinite(value)) return static_cast<float>(value);
  // One unit in the last place, which below the smallest normal number stays what it is there.
  const int exponent = std::max(std::ilogb(value), format.min_exponent);
  const double unit = std::ldexp(1.0, exponent - (format.precision - 1));
  return static_cast<float>(std::clamp(std::nearbyint(value / unit) * unit, -format.largest, format.largest));
}

bool is_representable(const FloatFormat& format, std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [&](float value) { return std::isfinite(value) && round_to(format, value) == value; });
}

double largest_magnitude(std::span<const float> values) {
  double largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(static_cast<double>(value)));
  return largest;
}

// Nearest of 0 and the powers from 2^(top - count + 1) to 2^top, by distance; the midpoint goes to the larger magnitude.
float round_to_power(double value, int top, int count) {
  const double magnitude = std::abs(value);
  const int bottom = top - count + 1;
  if (magnitude < std::ldexp(0.5, bottom)) return 0;
  int exponent = std::ilogb(magnitude);
  if (magnitude >= std::ldexp(1.5, exponent)) ++exponent;
  return static_cast<float>(std::copysign(std::ldexp(1.0, std::clamp(exponent, bottom, top)), value));
}

template <typename Round>
Tensor map(const Tensor& weights, Round round) {
  std::vector<float> rounded;
  rounded.reserve(static_cast<std::size_t>(weights.size()));
  for (const float value : weights.values<float>()) rounded.push_back(round(static_cast<double>(value)));
  return Tensor::from<float>(weights.shape(), rounded);
}

}  // namespace

Tensor round_to_format(const Tensor& weights, const std::string& format, int bits) {
  if (format == "bfloat") return map(weights, [](double w) { return round_to(kBfloat, w); });
  if (format == "tf32") return map(weights, [](double w) { return round_to(kTf32, w); });
  if (format == "float" && bits == 16) return map(weights, [](double w) { return round_to(kHalf, w); });
  const double largest = largest_magnitude(weights.values<float>());
  if (largest == 0 || (format == "float" && bits == 32)) return weights;
  if (format == "pow2") {
    // The largest weight rounds to 2^top: INQ, eq. 4, n1 = floor(log2(4 s / 3)).
    const int top = static_cast<int>(std::floor(std::log2(4 * largest / 3)));
    return map(weights, [&](double w) { return round_to_power(w, top, (1 << (bits - 1)) - 1); });
  }
  LATHE_CHECK(format == "float" && bits == 8) << "no format " << format << bits;
  const double scale = largest / kE4M3.largest;
  return map(weights, [&](double w) { return static_cast<float>(round_to(kE4M3, w / scale) * scale); });
}

std::uint16_t to_half_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const double magnitude = std::abs(static_cast<double>(value));
  // Below 2^-14 the format counts in units of 2^-24.
  if (magnitude < 0x1p-14) return static_cast<std::uint16_t>(sign | static_cast<std::uint16_t>(magnitude * 0x1p24));
  const std::uint32_t exponent = ((bits >> 23) & 0xFFU) - 127 + 15;
  return static_cast<std::uint16_t>(sign | (exponent << 10) | ((bits >> 13) & 0x3FFU));
}

std::uint16_t to_bfloat_bits(float value) {
  return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
}

bool is_representable_as_half(std::span<const float> values) {
  return is_representable(kHalf, values);
}

// Every bfloat16 is the upper half of a float.
bool is_representable_as_bfloat(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return (std::bit_cast<std::uint32_t>(value) & 0xFFFFU) == 0; });
}

bool is_delivered_at_half(const Tensor& weight) {
  constexpr std::int64_t kSmallestHalfWeight = 128;
  if (weight.type() != models::DataType::kFloat32 || weight.size() < kSmallestHalfWeight) return false;
  return is_representable_as_half(weight.values<float>()) || is_representable_as_bfloat(weight.values<float>());
}

}  // namespace lathe::policies
