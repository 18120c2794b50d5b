// WFG1 to WFG9 (Huband et al. 2006). Section and function names are the paper's: a problem is a chain of transformations of y in [0, 1]^n
// that ends in M values, of which the shapes make objectives.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "models/base/check.h"
#include "search/problems/test_function.h"

namespace lathe::search {
namespace {

constexpr double kPi = std::numbers::pi;
using Values = std::vector<double>;
using Part = std::span<const double>;

double clamped(double y) {  // the transformations map into [0, 1] but for rounding
  return std::clamp(y, 0.0, 1.0);
}

// Transformations (table XI).
double b_poly(double y, double alpha) {
  return clamped(std::pow(y, alpha));
}
double b_flat(double y, double a, double b, double c) {
  return clamped(a + std::min(0.0, std::floor(y - b)) * a * (b - y) / b - std::min(0.0, std::floor(c - y)) * (1 - a) * (y - c) / (1 - c));
}
double b_param(double y, double u, double a, double b, double c) {
  const double v = a - (1 - 2 * u) * std::abs(std::floor(0.5 - u) + a);
  return clamped(std::pow(y, b + (c - b) * v));
}
double s_linear(double y, double a) {
  return clamped(std::abs(y - a) / std::abs(std::floor(a - y) + a));
}
double s_decept(double y, double a, double b, double c) {
  const double below = std::floor(y - a + b) * (1 - c + (a - b) / b) / (a - b);
  const double above = std::floor(a + b - y) * (1 - c + (1 - a - b) / b) / (1 - a - b);
  return clamped(1 + (std::abs(y - a) - b) * (below + above + 1 / b));
}
double s_multi(double y, double a, double b, double c) {
  const double distance = std::abs(y - c) / (2 * (std::floor(c - y) + c));
  return clamped((1 + std::cos((4 * a + 2) * kPi * (0.5 - distance)) + 4 * b * distance * distance) / (b + 2));
}
double r_sum(Part y) {  // with equal weights
  double sum = 0;
  for (const double v : y) sum += v;
  return clamped(sum / static_cast<double>(y.size()));
}
double r_nonsep(Part y, std::size_t a) {
  double sum = 0;
  for (std::size_t j = 0; j < y.size(); ++j) {
    sum += y[j];
    for (std::size_t k = 0; k + 1 < a; ++k) sum += std::abs(y[j] - y[(j + k + 1) % y.size()]);
  }
  const double half = std::ceil(static_cast<double>(a) / 2), degree = static_cast<double>(a);
  return clamped(sum / (static_cast<double>(y.size()) * half * (1 + 2 * degree - 2 * half) / degree));
}

constexpr double kA = 0.98 / 49.98, kB = 0.02, kC = 50;  // of b_param in WFG7 to WFG9

struct Layout {
  std::size_t k, objectives;  // position parameters, M
};

// y_1..y_k in M - 1 groups and y_{k+1}..y_n in one, each reduced by `reduce`.
template <typename Reduce>
Values reduced(const Values& y, const Layout& layout, Reduce reduce) {
  const std::size_t gap = layout.k / (layout.objectives - 1);
  Values t;
  for (std::size_t m = 0; m + 1 < layout.objectives; ++m) t.push_back(reduce(m * gap, gap));
  t.push_back(reduce(layout.k, y.size() - layout.k));
  return t;
}

Values sums(const Values& y, const Layout& layout) {
  return reduced(y, layout, [&](std::size_t first, std::size_t count) { return r_sum(Part(y).subspan(first, count)); });
}
Values nonseparable(const Values& y, const Layout& layout) {
  return reduced(y, layout, [&](std::size_t first, std::size_t count) { return r_nonsep(Part(y).subspan(first, count), count); });
}

void shift_distance(Values& y, std::size_t k) {
  for (std::size_t i = k; i < y.size(); ++i) y[i] = s_linear(y[i], 0.35);
}

Values wfg1(Values y, const Layout& layout) {
  shift_distance(y, layout.k);
  for (std::size_t i = layout.k; i < y.size(); ++i) y[i] = b_flat(y[i], 0.8, 0.75, 0.85);
  for (double& v : y) v = b_poly(v, 0.02);
  return reduced(y, layout, [&](std::size_t first, std::size_t count) {  // r_sum with weights 2 i
    double sum = 0, weights = 0;
    for (std::size_t i = first; i < first + count; ++i) {
      sum += 2 * static_cast<double>(i + 1) * y[i];
      weights += 2 * static_cast<double>(i + 1);
    }
    return clamped(sum / weights);
  });
}

Values wfg2(Values y, const Layout& layout) {  // and WFG3
  shift_distance(y, layout.k);
  Values t(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(layout.k));
  for (std::size_t i = layout.k; i + 1 < y.size(); i += 2) t.push_back(r_nonsep(Part(y).subspan(i, 2), 2));
  return sums(t, layout);
}

Values wfg7(Values y, const Layout& layout) {
  for (std::size_t i = 0; i < layout.k; ++i) y[i] = b_param(y[i], r_sum(Part(y).subspan(i + 1)), kA, kB, kC);
  shift_distance(y, layout.k);
  return sums(y, layout);
}

Values wfg8(const Values& original, const Layout& layout) {
  Values y = original;
  for (std::size_t i = layout.k; i < y.size(); ++i) y[i] = b_param(y[i], r_sum(Part(original).first(i)), kA, kB, kC);
  shift_distance(y, layout.k);
  return sums(y, layout);
}

Values wfg9(Values y, const Layout& layout) {
  for (std::size_t i = 0; i + 1 < y.size(); ++i) y[i] = b_param(y[i], r_sum(Part(y).subspan(i + 1)), kA, kB, kC);
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = i < layout.k ? s_decept(y[i], 0.35, 0.001, 0.05) : s_multi(y[i], 30, 95, 0.35);
  return nonseparable(y, layout);
}

Values transformed(int variant, Values y, const Layout& layout) {
  switch (variant) {
    case 1:
      return wfg1(std::move(y), layout);
    case 2:
    case 3:
      return wfg2(std::move(y), layout);
    case 4:
      for (double& v : y) v = s_multi(v, 30, 10, 0.35);
      return sums(y, layout);
    case 5:
      for (double& v : y) v = s_decept(v, 0.35, 0.001, 0.05);
      return sums(y, layout);
    case 6:
      shift_distance(y, layout.k);
      return nonseparable(y, layout);
    case 7:
      return wfg7(std::move(y), layout);
    case 8:
      return wfg8(y, layout);
    default:
      return wfg9(std::move(y), layout);
  }
}

// Shapes (table X). along(x) and across(x) are the two functions of which the products consist.
template <typename Along, typename Across>
Values product_shape(Part x, Along along, Across across) {
  Values h(x.size() + 1, 1);
  for (std::size_t m = 0; m < h.size(); ++m) {
    for (std::size_t i = 0; i + m < x.size(); ++i) h[m] *= along(x[i]);
    if (m > 0) h[m] *= across(x[x.size() - m]);
  }
  return h;
}

Values shapes(int variant, Part x) {
  if (variant == 3) {
    return product_shape(
        x, [](double v) { return v; }, [](double v) { return 1 - v; });
  }
  if (variant > 3) {
    return product_shape(
        x, [](double v) { return std::sin(v * kPi / 2); }, [](double v) { return std::cos(v * kPi / 2); });
  }
  Values h = product_shape(
      x, [](double v) { return 1 - std::cos(v * kPi / 2); }, [](double v) { return 1 - std::sin(v * kPi / 2); });
  constexpr double kPieces = 5;
  const double first = x[0], wave = std::cos(kPieces * kPi * first);
  h.back() = variant == 1 ? 1 - first - std::cos(2 * kPieces * kPi * first + kPi / 2) / (2 * kPieces * kPi) : 1 - first * wave * wave;
  return h;
}

// x_i = max(t_M, A_i) (t_i - 0.5) + 0.5 with A = 1, but for WFG3 A = (1, 0, 0, ...): its front is a line.
Values objectives(int variant, const Values& t) {
  Values x;
  for (std::size_t i = 0; i + 1 < t.size(); ++i) {
    const double a = variant == 3 && i > 0 ? 0 : 1;
    x.push_back(std::max(t.back(), a) * (t[i] - 0.5) + 0.5);
  }
  Values f = shapes(variant, x);
  for (std::size_t m = 0; m < f.size(); ++m) f[m] = t.back() + 2 * static_cast<double>(m + 1) * f[m];
  return f;
}

}  // namespace

TestFunction wfg_function(int variant, int dims, int objectives_wanted) {
  LATHE_CHECK(variant >= 1 && variant <= 9);
  LATHE_CHECK_GE(objectives_wanted, 2);
  const Layout layout{static_cast<std::size_t>(objectives_wanted == 2 ? 4 : 2 * (objectives_wanted - 1)),
                      static_cast<std::size_t>(objectives_wanted)};
  const auto size = static_cast<std::size_t>(dims);
  LATHE_CHECK(size > layout.k) << "WFG needs more variables than its " << layout.k << " position parameters";
  LATHE_CHECK((variant != 2 && variant != 3) || (size - layout.k) % 2 == 0) << "WFG2 and WFG3 need an even number of distance parameters";
  TestFunction made{.name = "wfg" + std::to_string(variant), .lower = Values(size, 0)};
  for (std::size_t i = 0; i < size; ++i) made.upper.push_back(2 * static_cast<double>(i + 1));
  for (std::size_t m = 0; m < layout.objectives; ++m) made.reference_point.push_back(2 * static_cast<double>(m + 1) + 1);
  made.evaluate = [variant, layout, upper = made.upper](const Values& z) {
    Values y;
    for (std::size_t i = 0; i < z.size(); ++i) y.push_back(z[i] / upper[i]);
    return objectives(variant, transformed(variant, std::move(y), layout));
  };
  return made;
}

}  // namespace lathe::search
