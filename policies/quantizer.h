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

// Symmetric, zero point 0, levels -(2^(bits-1) - 1) .. 2^(bits-1) - 1, scale = max|w| / (2^(bits-1) - 1) (Krishnamoorthi, section 2.2).
// weights: float32, any shape; one scale for each index of `axis`, or one in all where axis is -1. bits 2 to 16. A channel of zeros has
// scale 1. |w - dequantized| <= scale / 2.
QuantizationParameters symmetric_per_channel(const models::Tensor& weights, std::int64_t axis, int bits);
// The same with the scale that minimizes the squared error, searched over the ranges max|w| * (1 - i / 100), i = 0 .. 79, until 16 in a
// row have brought nothing (the error is close to unimodal: rounding error falls with the range while clipping error rises).
QuantizationParameters symmetric_per_channel_mse(const models::Tensor& weights, std::int64_t axis, int bits);
// Asymmetric, levels 0 .. 2^bits - 1; the range is widened to hold 0 so that zero is exact (Jacob et al., section 2.1):
// scale = (high - low) / (2^bits - 1), zero_point = round(-low / scale). Error within [low, high] at most scale / 2. bits 2 to 16.
QuantizationParameters asymmetric(Range range, int bits);

enum class RangeMethod { kMinMax, kPercentile, kMse, kKl };
RangeMethod parse_range_method(const std::string& name);  // "min_max", "percentile", "mse", "kl"; throws UserError

// Collects the distribution of one activation over calibration batches: extremes and a histogram of 2,048 bins whose width doubles when a
// value falls outside. Values that are not finite are passed over. Depends on the batches and their order alone.
class RangeObserver {
 public:
  void observe(std::span<const float> values);
  // The range for a width by the method, {0, 0} where nothing was observed. Percentile leaves out 1 - `percentile` of the mass on each
  // side; kMse minimizes the squared error of `bits`-wide asymmetric quantization over shrunken ranges, both ends together, then each
  // alone; kKl likewise the divergence of the quantized distribution from the clipped one (S. Migacz, 8-bit Inference with TensorRT,
  // GTC 2017).
  Range range(RangeMethod method, int bits, double percentile = 0.9999) const;

 private:
  void widen(double low, double high);
  double quantile(double share) const;
  double squared_error(Range range, int bits) const;
  double divergence(Range range, int bits) const;
  template <typename Cost>
  Range shrink(Range best, bool moves_low, bool moves_high, Cost cost) const;

  double low_ = 0, high_ = 0;          // extremes
  double origin_ = 0, bin_width_ = 0;  // of the histogram
  std::vector<double> histogram_;      // counts; empty until something finite is observed
};

// y = clamp(round_half_even(x / scale) + zero_point) as integers widened to int32, in the tensor's order; axis -1 = per tensor.
std::vector<std::int32_t> quantize(const models::Tensor& values, const QuantizationParameters& parameters, std::int64_t axis);

}  // namespace lathe::policies
