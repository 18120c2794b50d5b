#include <cmath>
#include <numbers>
#include <numeric>

#include "models/base/check.h"
#include "search/problems/test_function.h"

namespace lathe::search {
namespace {

constexpr double kPi = std::numbers::pi;

// g of the variables behind the first one; 1 on the Pareto set.
double zdt_g(int variant, const std::vector<double>& x) {
  const double tail = std::accumulate(x.begin() + 1, x.end(), 0.0);
  const auto rest = static_cast<double>(x.size() - 1);
  if (rest == 0) return 1;
  if (variant == 6) return 1 + 9 * std::pow(tail / rest, 0.25);
  if (variant != 4) return 1 + 9 * tail / rest;
  double g = 1 + 10 * rest;
  for (std::size_t i = 1; i < x.size(); ++i) g += x[i] * x[i] - 10 * std::cos(4 * kPi * x[i]);
  return g;
}

}  // namespace

TestFunction zdt_function(int variant, int dims) {
  LATHE_CHECK((variant >= 1 && variant <= 4) || variant == 6);
  LATHE_CHECK_GE(dims, 1);
  const auto size = static_cast<std::size_t>(dims);
  TestFunction made{.name = "zdt" + std::to_string(variant), .lower = std::vector<double>(size, 0), .upper = std::vector<double>(size, 1)};
  for (std::size_t i = 1; i < size && variant == 4; ++i) {
    made.lower[i] = -5;
    made.upper[i] = 5;
  }
  made.reference_point = {11, 11};
  made.evaluate = [variant](const std::vector<double>& x) {
    const double f = variant == 6 ? 1 - std::exp(-4 * x[0]) * std::pow(std::sin(6 * kPi * x[0]), 6) : x[0];
    const double g = zdt_g(variant, x), ratio = f / g;
    double h = variant == 2 || variant == 6 ? 1 - ratio * ratio : 1 - std::sqrt(ratio);
    if (variant == 3) h -= ratio * std::sin(10 * kPi * f);
    return std::vector<double>{f, g * h};
  };
  return made;
}

}  // namespace lathe::search
