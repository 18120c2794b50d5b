#include "search/bayes/tail_compression.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace lathe::search {
namespace {

double interquartile_range(std::span<const double> raw) {
  std::vector<double> values(raw.begin(), raw.end());
  const auto quantile = [&](double share) {
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), at, values.end());
    return *at;
  };
  return values.empty() ? 0 : quantile(0.75) - quantile(0.25);
}

}  // namespace

TailCompression::TailCompression(const Problem& problem, int metric, std::span<const double> raw) {
  const Metric& described = problem.metrics[static_cast<std::size_t>(metric)];
  const double sign = described.direction == Direction::kMinimize ? 1 : -1;
  // The loosest of all that is asked of the metric, to be minimized.
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  double loosest = std::isnan(described.limit) ? kNone : sign * described.limit;
  bool is_objective = false;
  for (const Front& front : problem.fronts) {
    for (std::size_t k = 0; k < front.metrics.size(); ++k) {
      if (front.metrics[k] != metric) continue;
      is_objective = true;
      loosest = std::max(loosest, sign * front.reference_point[k]);
    }
  }
  reach_ = interquartile_range(raw);
  if (loosest == kNone || !(reach_ > 0)) return;
  centre_ = sign * loosest;
  if (!is_objective || sign > 0) high_ = centre_ + reach_;
  if (!is_objective || sign < 0) low_ = centre_ - reach_;
}

double TailCompression::operator()(double raw) const {
  if (raw >= low_ && raw <= high_) return raw;
  const double distance = reach_ * (1 + std::log(std::abs(raw - centre_) / reach_));
  return raw > high_ ? centre_ + distance : centre_ - distance;
}

double TailCompression::slope(double raw) const {
  return raw >= low_ && raw <= high_ ? 1 : reach_ / std::abs(raw - centre_);
}

}  // namespace lathe::search
