#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "policies/quantizer.h"

namespace lathe::policies {
namespace {

constexpr std::size_t kBins = 2048;
// Shrunken ranges that kMse and kKl try for each end.
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

// P: the counts within the range, those beyond it in its outermost bins. Q: the counts within the range alone, each level's spread evenly
// over those of its bins that are not empty. Both are normalized; the result is the sum of P log(P / Q). Infinite where the range has
// fewer bins than levels, which would make the two the same, or P has mass where Q has none. The bin of zero counts as its neighbour does:
// what ReLU sets to zero is exact at any scale and would drown the rest (as in NVIDIA's pytorch-quantization).
double RangeObserver::divergence(Range range, int bits) const {
  constexpr double kInfinite = std::numeric_limits<double>::infinity();
  const auto bin_of = [&](double x) { return std::clamp<std::int64_t>(static_cast<std::int64_t>((x - origin_) / bin_width_), 0, kBins); };
  const std::int64_t begin = bin_of(range.low), end = bin_of(range.high), levels = std::int64_t{1} << bits;
  if (end - begin < levels) return kInfinite;
  std::vector<double> counts = histogram_;
  if (const std::int64_t zero = bin_of(0.0); zero + 1 < static_cast<std::int64_t>(kBins) && origin_ <= 0)
    counts[static_cast<std::size_t>(zero)] = counts[static_cast<std::size_t>(zero) + 1];
  const auto first = counts.begin() + begin, last = counts.begin() + end;
  std::vector<double> p(first, last), q(p.size(), 0.0);
  p.front() += std::accumulate(counts.begin(), first, 0.0);
  p.back() += std::accumulate(last, counts.end(), 0.0);
  for (std::int64_t level = 0; level < levels; ++level) {
    const std::int64_t from = (end - begin) * level / levels, to = (end - begin) * (level + 1) / levels;
    const double mass = std::accumulate(first + from, first + to, 0.0);
    const auto filled = static_cast<double>((to - from) - std::count(first + from, first + to, 0.0));
    for (std::int64_t i = from; i < to; ++i) q[static_cast<std::size_t>(i)] = first[i] > 0 ? mass / filled : 0;
  }
  const double p_total = std::accumulate(p.begin(), p.end(), 0.0), q_total = std::accumulate(q.begin(), q.end(), 0.0);
  double total = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) continue;
    if (q[i] == 0) return kInfinite;
    total += p[i] / p_total * std::log(p[i] / p_total / (q[i] / q_total));
  }
  return total;
}

template <typename Cost>
Range RangeObserver::shrink(Range best, bool moves_low, bool moves_high, Cost cost) const {
  const Range full = best;
  double best_error = cost(best);
  for (int step = 1; step < kShrinkSteps; ++step) {
    const double share = 1 - kShrinkStep * step;
    const Range range{moves_low ? full.low * share : full.low, moves_high ? full.high * share : full.high};
    const double error = cost(range);
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
  const auto cost = [&](Range range) { return method == RangeMethod::kKl ? divergence(range, bits) : squared_error(range, bits); };
  const Range both = shrink({std::min(low_, 0.0), std::max(high_, 0.0)}, /*moves_low=*/true, /*moves_high=*/true, cost);
  const Range low = both.low < 0 ? shrink(both, /*moves_low=*/true, /*moves_high=*/false, cost) : both;
  return low.high > 0 ? shrink(low, /*moves_low=*/false, /*moves_high=*/true, cost) : low;
}

}  // namespace lathe::policies
