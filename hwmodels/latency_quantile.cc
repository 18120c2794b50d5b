#include <cmath>
#include <numbers>

#include "hwmodels/hardware_model.h"
#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

// Inverse of the standard normal distribution function by bisection: exact to rounding, and nobody calls it in a loop.
double normal_quantile(double probability) {
  double low = -40, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    const double below = std::erfc(-middle / std::numbers::sqrt2) / 2;
    (below < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

double latency_quantile_factor(double latency_log_deviation, double probability) {
  LATHE_CHECK_GT(probability, 0.0);
  LATHE_CHECK_LT(probability, 1.0);
  return std::exp(latency_log_deviation * normal_quantile(probability));
}

double latency_quantile_ms(const Prediction& prediction, double probability) {
  return prediction.latency_ms * latency_quantile_factor(prediction.latency_log_deviation, probability);
}

std::optional<std::pair<double, double>> latency_interval_ms(const Prediction& prediction) {
  constexpr double kTail = 0.05;
  if (prediction.latency_log_deviation <= 0) return std::nullopt;
  return std::pair(latency_quantile_ms(prediction, kTail), latency_quantile_ms(prediction, 1 - kTail));
}

}  // namespace lathe::hwmodels
