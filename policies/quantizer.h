// Uniform affine quantization: scales and zero points from ranges. B. Jacob et al., Quantization and Training of Neural Networks for
// Efficient Integer-Arithmetic-Only Inference, CVPR 2018; R. Krishnamoorthi, 2018, for per-channel weights.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/tensor.h"

namespace lathe::policies {

struct Range {
  double low = 0, high = 0;
  bool operator==(const Range&) const = default;
};

struct QuantizationParameters {
  std::vector<float> scale;  // one, or one a channel
  std::vector<std::int32_t> zero_point;
  int quant_min = 0, quant_max = 255;
};

// Symmetric, zero point 0, levels -(2^(bits-1) - 1) .. 2^(bits-1) - 1. weights: any shape; one scale for each index of `axis`.
QuantizationParameters symmetric_per_channel(const models::Tensor& weights, std::int64_t axis, int bits);
// The same with the scale that minimizes the squared error, searched over 80 shrunken ranges.
QuantizationParameters symmetric_per_channel_mse(const models::Tensor& weights, std::int64_t axis, int bits);
// Asymmetric, levels 0 .. 2^bits - 1; the range is widened to hold 0 so that zero is exact.
QuantizationParameters asymmetric(Range range, int bits);

enum class RangeMethod { kMinMax, kPercentile, kMse };
RangeMethod parse_range_method(const std::string& name);  // "min_max", "percentile", "mse"; throws UserError

// Collects the distribution of one activation over calibration batches: extremes and a histogram of 2,048 bins that widens as needed.
class RangeObserver {
 public:
  void observe(std::span<const float> values);
  // The range for a width by the method; percentile keeps `percentile` (0.9999) of the mass on each side.
  Range range(RangeMethod method, int bits, double percentile = 0.9999) const;

 private:
  double low_ = 0, high_ = 0;
  std::vector<double> histogram_;
};

// y = clamp(round_half_even(x / scale) + zero_point) as integers widened to int32, in the tensor's order; axis -1 = per tensor.
std::vector<std::int32_t> quantize(const models::Tensor& values, const QuantizationParameters& parameters, std::int64_t axis);

}  // namespace lathe::policies
