#include <algorithm>
#include <cmath>

#include "policies/quantizer.h"

namespace lathe::policies {
namespace {

constexpr std::size_t kBins = 2048;
// Shrunken ranges that kMse tries for each end.
constexpr int kShrinkSteps = 80;
constexpr double kShrinkStep = 0.01;

}  // namespace

void RangeObserver::observe(std::span<const float> values) {
  double low = 0, high = 0;
  bool is_empty = true;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    low = is_empty ? value : std::min(low, static_cast<double>(value));
    high = is_empty ? value : std::max(high, static_cast<double>(value));
    is_empty = false;
  }
  if (is_empty) return;
  widen(low, high);
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const auto bin = static_cast<std::size_t>((static_cast<double>(value) - origin_) / bin_width_);
    ++histogram_[std::min(bin, kBins - 1)];
  }
}

// Makes the histogram cover [low, high]: bins are merged in pairs, which keeps every count where it belongs.
void RangeObserver::widen(double low, double high) {
  if (histogram_.empty()) {
    histogram_.assign(kBins, 0.0);
    low_ = origin_ = low;
    high_ = high;
    // A single value gets bins wide enough that adding them to it makes a difference.
    const double width = std::max(high - low, std::max(std::abs(low), 1e-30) * 1e-6);
    bin_width_ = width / kBins;
    return;
  }
  low_ = std::min(low_, low);
  high_ = std::max(high_, high);
  while (low_ < origin_ || high_ > origin_ + bin_width_ * kBins) {
    const bool extends_down = low_ < origin_;
    std::vector<double> merged(kBins, 0.0);
    for (std::size_t i = 0; i < kBins; ++i) merged[(i + (extends_down ? kBins : 0)) / 2] += histogram_[i];
    if (extends_down) origin_ -= bin_width_ * kBins;
    bin_width_ *= 2;
    histogram_ = std::move(merged);
  }
}

// The value below which `share` of the mass lies, linear within a bin.
double RangeObserver::quantile(double share) const {
  double total = 0;
  for (const double count : histogram_) total += count;
  double below = 0;
  for (std::size_t i = 0; i < kBins; ++i) {
    if (histogram_[i] > 0 && below + histogram_[i] >= share * total) {
      const double part = (share * total - below) / histogram_[i];
      return std::clamp(origin_ + (static_cast<double>(i) + part) * bin_width_, low_, high_);
    }
    below += histogram_[i];
  }
  return high_;
}

double RangeObserver::squared_error(Range range, int bits) const {
  const QuantizationParameters parameters = asymmetric(range, bits);
  const double scale = parameters.scale[0], zero_point = parameters.zero_point[0], quant_max = parameters.quant_max;
  double total = 0;
  for (std::size_t i = 0; i < kBins; ++i) {
    if (histogram_[i] == 0) continue;
    const double x = std::clamp(origin_ + (static_cast<double>(i) + 0.5) * bin_width_, low_, high_);
    const double level = std::clamp(std::nearbyint(x / scale) + zero_point, 0.0, quant_max);
    const double error = x - (level - zero_point) * scale;
    total += histogram_[i] * error * error;
  }
  return total;
}

Range RangeObserver::shrink(Range best, int bits, bool moves_low, bool moves_high) const {
  const Range full = best;
  double best_error = squared_error(best, bits);
  for (int step = 1; step < kShrinkSteps; ++step) {
    const double share = 1 - kShrinkStep * step;
    const Range range{moves_low ? full.low * share : full.low, moves_high ? full.high * share : full.high};
    const double error = squared_error(range, bits);
    if (error < best_error) {
      best = range;
      best_error = error;
    }
  }
  return best;
}

Range RangeObserver::range(RangeMethod method, int bits, double percentile) const {
  if (histogram_.empty()) return {};
  if (method == RangeMethod::kMinMax) return {low_, high_};
  if (method == RangeMethod::kPercentile) return {quantile(1 - percentile), quantile(percentile)};
  const Range both = shrink({std::min(low_, 0.0), std::max(high_, 0.0)}, bits, /*moves_low=*/true, /*moves_high=*/true);
  const Range low = both.low < 0 ? shrink(both, bits, /*moves_low=*/true, /*moves_high=*/false) : both;
  return low.high > 0 ? shrink(low, bits, /*moves_low=*/false, /*moves_high=*/true) : low;
}

}  // namespace lathe::policies
