#include "policies/quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/base/error.h"

namespace lathe::policies {
namespace {

using models::Tensor;

// Shrunken ranges tried, the share of the full range between two of them, and how many without gain end the search.
constexpr int kShrinkSteps = 80;
constexpr float kShrinkStep = 0.01F;
constexpr int kPatience = 16;

// Adding and subtracting 1.5 * 2^23 leaves a float of magnitude below 2^22 rounded to the nearest integer, ties to even, in the default
// rounding mode: many times faster than the library call, which the search for a scale makes 80 times a weight.
float round_half_even(float x) {
  constexpr float kMagic = 12582912.0F;
  return (x + kMagic) - kMagic;
}

// How the elements of one index along `axis` lie in memory: `outer` runs of `inner` elements, `extent * inner` apart.
struct ChannelLayout {
  std::int64_t outer = 1, extent = 1, inner = 1;

  ChannelLayout(const models::Shape& shape, std::int64_t axis) {
    if (axis < 0) {
      inner = models::element_count(shape);
      return;
    }
    LATHE_CHECK_LT(axis, static_cast<std::int64_t>(shape.size()));
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(shape.size()); ++i) {
      const std::int64_t size = shape[static_cast<std::size_t>(i)];
      (i < axis ? outer : i == axis ? extent : inner) *= size;
    }
  }

  template <typename Visit>
  void for_each_run(std::int64_t channel, Visit visit) const {
    for (std::int64_t o = 0; o < outer; ++o) visit((o * extent + channel) * inner, inner);
  }
};

void check_bits(int bits) {
  LATHE_CHECK(bits >= 2 && bits <= 16) << "cannot quantize to " << bits << " bits";
}

float scale_for(float magnitude, int quant_max) {
  if (magnitude == 0) return 1.0F;
  return std::max(magnitude / static_cast<float>(quant_max), std::numeric_limits<float>::min());
}

float largest_magnitude(std::span<const float> weights) {
  float largest = 0;
  for (const float w : weights) largest = std::max(largest, std::abs(w));
  return largest;
}

// Eight sums side by side keep the compiler from waiting for each addition; each takes few enough numbers to be exact to 1e-5.
double squared_error(std::span<const float> weights, float scale, int quant_max) {
  constexpr std::size_t kLanes = 8, kBlock = 64 * kLanes;
  const auto limit = static_cast<float>(quant_max);
  const float inverse = 1.0F / scale;
  double total = 0;
  for (std::size_t begin = 0; begin < weights.size(); begin += kBlock) {
    float sums[kLanes] = {};
    const std::size_t end = std::min(begin + kBlock, weights.size());
    for (std::size_t i = begin; i < end; ++i) {
      const float w = weights[i];
      const float error = w - round_half_even(std::min(std::max(w * inverse, -limit), limit)) * scale;
      sums[i % kLanes] += error * error;
    }
    for (const float sum : sums) total += static_cast<double>(sum);
  }
  return total;
}

float best_scale(std::span<const float> weights, int quant_max) {
  const float magnitude = largest_magnitude(weights);
  float best = scale_for(magnitude, quant_max);
  if (magnitude == 0) return best;
  double best_error = squared_error(weights, best, quant_max);
  for (int step = 1, idle = 0; step < kShrinkSteps && idle < kPatience; ++step, ++idle) {
    const float scale = scale_for(magnitude * (1.0F - kShrinkStep * static_cast<float>(step)), quant_max);
    const double error = squared_error(weights, scale, quant_max);
    if (error >= best_error) continue;
    best = scale;
    best_error = error;
    idle = 0;
  }
  return best;
}

template <typename ScaleOf>
QuantizationParameters symmetric(const Tensor& weights, std::int64_t axis, int bits, ScaleOf scale_of) {
  check_bits(bits);
  const ChannelLayout layout(weights.shape(), axis);
  const int quant_max = (1 << (bits - 1)) - 1;
  QuantizationParameters parameters{.quant_min = -quant_max, .quant_max = quant_max};
  const auto values = weights.values<float>();
  std::vector<float> of_channel;
  for (std::int64_t channel = 0; channel < layout.extent; ++channel) {
    of_channel.clear();
    layout.for_each_run(channel, [&](std::int64_t begin, std::int64_t count) {
      of_channel.insert(of_channel.end(), values.begin() + begin, values.begin() + begin + count);
    });
    parameters.scale.push_back(scale_of(of_channel, quant_max));
    parameters.zero_point.push_back(0);
  }
  return parameters;
}

}  // namespace

QuantizationParameters symmetric_per_channel(const Tensor& weights, std::int64_t axis, int bits) {
  return symmetric(weights, axis, bits,
                   [](std::span<const float> of_channel, int quant_max) { return scale_for(largest_magnitude(of_channel), quant_max); });
}

QuantizationParameters symmetric_per_channel_mse(const Tensor& weights, std::int64_t axis, int bits) {
  return symmetric(weights, axis, bits, best_scale);
}

QuantizationParameters asymmetric(Range range, int bits) {
  check_bits(bits);
  const double low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  const int quant_max = (1 << bits) - 1;
  QuantizationParameters parameters{.scale = {1.0F}, .zero_point = {0}, .quant_min = 0, .quant_max = quant_max};
  const double width = std::min((high - low) / quant_max, static_cast<double>(std::numeric_limits<float>::max()));
  if (!(width > 0)) return parameters;
  const float scale = std::max(static_cast<float>(width), std::numeric_limits<float>::min());
  parameters.scale = {scale};
  parameters.zero_point = {std::clamp(static_cast<std::int32_t>(std::nearbyint(-low / static_cast<double>(scale))), 0, quant_max)};
  return parameters;
}

RangeMethod parse_range_method(const std::string& name) {
  if (name == "min_max") return RangeMethod::kMinMax;
  if (name == "percentile") return RangeMethod::kPercentile;
  if (name == "mse") return RangeMethod::kMse;
  if (name == "kl") return RangeMethod::kKl;
  const std::string near = nearest_spelling(name, {"min_max", "percentile", "mse", "kl"});
  throw UserError(Fault{
      .expected = "expected one of min_max, percentile, mse, kl" + (near.empty() ? "" : " (did you mean '" + near + "'?)"), .got = name});
}

std::vector<std::int32_t> quantize(const Tensor& values, const QuantizationParameters& parameters, std::int64_t axis) {
  const ChannelLayout layout(values.shape(), axis);
  LATHE_CHECK_EQ(static_cast<std::int64_t>(parameters.scale.size()), layout.extent);
  LATHE_CHECK_EQ(parameters.zero_point.size(), parameters.scale.size());
  const auto elements = values.values<float>();
  std::vector<std::int32_t> levels(elements.size());
  const double low = parameters.quant_min, high = parameters.quant_max;
  for (std::int64_t channel = 0; channel < layout.extent; ++channel) {
    const float scale = parameters.scale[static_cast<std::size_t>(channel)];
    const double zero_point = parameters.zero_point[static_cast<std::size_t>(channel)];
    layout.for_each_run(channel, [&](std::int64_t begin, std::int64_t count) {
      for (std::int64_t i = begin; i < begin + count; ++i) {
        const auto index = static_cast<std::size_t>(i);
        levels[index] = static_cast<std::int32_t>(std::clamp(std::nearbyint(elements[index] / scale) + zero_point, low, high));
      }
    });
  }
  return levels;
}

}  // namespace lathe::policies
