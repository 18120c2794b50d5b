#include <algorithm>
#include <cmath>

#include "evaluators/evaluator.h"
#include "models/base/check.h"

namespace lathe::evaluators {

std::pair<double, double> wilson_interval(std::int64_t k, std::int64_t n, double deviations) {
  LATHE_CHECK_GT(n, 0);
  const double z2 = deviations * deviations;
  const double count = static_cast<double>(n);
  const double p = static_cast<double>(k) / count;
  const double center = (p + z2 / (2 * count)) / (1 + z2 / count);
  const double half = deviations * std::sqrt(p * (1 - p) / count + z2 / (4 * count * count)) / (1 + z2 / count);
  return {std::max(0.0, center - half), std::min(1.0, center + half)};
}

PairedDifference paired_difference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
  LATHE_CHECK_EQ(a.size(), b.size());
  LATHE_CHECK(!a.empty());
  const double n = static_cast<double>(a.size());
  double sum = 0, sum_of_squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += d;
    sum_of_squares += d * d;
  }
  const double mean = sum / n;
  const double variance = std::max(0.0, sum_of_squares / n - mean * mean);
  const double half = kNormalQuantile975 * std::sqrt(variance / n);
  return {.difference = mean, .interval = {mean - half, mean + half}};
}

}  // namespace lathe::evaluators
