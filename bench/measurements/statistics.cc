#include "bench/measurements/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "models/base/check.h"

namespace lathe::measurements {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();

std::vector<double> mean_ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  std::vector<double> ranks(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t j = i; j < end; ++j) ranks[order[j]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return ranks;
}

}  // namespace

double mean(const std::vector<double>& values) {
  return values.empty() ? kNothing : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return n == 0 ? kNothing : (values[(n - 1) / 2] + values[n / 2]) / 2;
}

double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  LATHE_CHECK_EQ(a.size(), b.size());
  const std::vector<double> x = mean_ranks(a), y = mean_ranks(b);
  const double middle = (static_cast<double>(x.size()) - 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - middle) * (y[i] - middle);
    xx += (x[i] - middle) * (x[i] - middle);
    yy += (y[i] - middle) * (y[i] - middle);
  }
  return xy / std::sqrt(xx * yy);
}

double median_relative_error(const std::vector<double>& predicted, const std::vector<double>& measured) {
  LATHE_CHECK_EQ(predicted.size(), measured.size());
  std::vector<double> errors;
  for (std::size_t i = 0; i < predicted.size(); ++i) {
    if (measured[i] > 0) errors.push_back(std::abs(predicted[i] / measured[i] - 1));
  }
  return median(std::move(errors));
}

}  // namespace lathe::measurements
