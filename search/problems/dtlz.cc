#include <cmath>
#include <numbers>

#include "models/base/check.h"
#include "search/problems/test_function.h"

namespace lathe::search {
namespace {

constexpr double kPi = std::numbers::pi;
using Values = std::vector<double>;

// 100 (k + sum ((x - 0.5)^2 - cos(20 pi (x - 0.5)))): the many local fronts of DTLZ1 and DTLZ3.
double rastrigin(const Values& tail) {
  double g = static_cast<double>(tail.size());
  for (const double x : tail) g += (x - 0.5) * (x - 0.5) - std::cos(20 * kPi * (x - 0.5));
  return 100 * g;
}

double sphere(const Values& tail) {
  double g = 0;
  for (const double x : tail) g += (x - 0.5) * (x - 0.5);
  return g;
}

// Points of the linear front: f_1 = 0.5 (1 + g) x_1 ... x_{M-1}, ..., f_M = 0.5 (1 + g) (1 - x_1).
Values on_simplex(const Values& head, double g) {
  const std::size_t objectives = head.size() + 1;
  Values f(objectives, 0.5 * (1 + g));
  for (std::size_t m = 0; m < objectives; ++m) {
    for (std::size_t i = 0; i + m + 1 < objectives; ++i) f[m] *= head[i];
    if (m > 0) f[m] *= 1 - head[objectives - 1 - m];
  }
  return f;
}

// Points of the spherical front: f_1 = (1 + g) cos(a_1) ... cos(a_{M-1}), ..., f_M = (1 + g) sin(a_1).
Values on_sphere(const Values& angles, double g) {
  const std::size_t objectives = angles.size() + 1;
  Values f(objectives, 1 + g);
  for (std::size_t m = 0; m < objectives; ++m) {
    for (std::size_t i = 0; i + m + 1 < objectives; ++i) f[m] *= std::cos(angles[i]);
    if (m > 0) f[m] *= std::sin(angles[objectives - 1 - m]);
  }
  return f;
}

// The angles of DTLZ5 and DTLZ6, whose front is a curve: all but the first are drawn to pi / 4 as g falls to 0.
Values curve_angles(const Values& head, double g) {
  Values angles;
  for (std::size_t i = 0; i < head.size(); ++i) angles.push_back(i == 0 ? head[0] * kPi / 2 : kPi / (4 * (1 + g)) * (1 + 2 * g * head[i]));
  return angles;
}

Values dtlz7(const Values& head, const Values& tail) {
  double g = 1;
  for (const double x : tail) g += 9 * x / static_cast<double>(tail.size());
  Values f = head;
  double h = static_cast<double>(head.size() + 1);
  for (const double x : head) h -= x / (1 + g) * (1 + std::sin(3 * kPi * x));
  f.push_back((1 + g) * h);
  return f;
}

Values dtlz(int variant, const Values& head, const Values& tail) {
  Values angles;
  for (const double x : head) angles.push_back((variant == 4 ? std::pow(x, 100) : x) * kPi / 2);
  double g = sphere(tail);
  switch (variant) {
    case 1:
      return on_simplex(head, rastrigin(tail));
    case 3:
      return on_sphere(angles, rastrigin(tail));
    case 5:
      return on_sphere(curve_angles(head, g), g);
    case 6:
      g = 0;
      for (const double x : tail) g += std::pow(x, 0.1);
      return on_sphere(curve_angles(head, g), g);
    case 7:
      return dtlz7(head, tail);
    default:  // 2 and 4
      return on_sphere(angles, g);
  }
}

}  // namespace

TestFunction dtlz_function(int variant, int dims, int objectives) {
  LATHE_CHECK(variant >= 1 && variant <= 7);
  LATHE_CHECK_GE(objectives, 2);
  LATHE_CHECK_GE(dims, objectives);
  const auto size = static_cast<std::size_t>(dims);
  const double reference = variant == 1 ? 400 : variant == 3 ? 10000 : variant == 7 ? 15 : 1.1;
  return {.name = "dtlz" + std::to_string(variant),
          .lower = Values(size, 0),
          .upper = Values(size, 1),
          .reference_point = Values(static_cast<std::size_t>(objectives), reference),
          .evaluate = [variant, objectives](const Values& x) {
            const auto middle = x.begin() + (objectives - 1);
            return dtlz(variant, Values(x.begin(), middle), Values(middle, x.end()));
          }};
}

}  // namespace lathe::search
