#include "search/bayes/acquisition.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "search/pareto.h"

namespace lathe::search {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

// With t = -z > 0 and the continued fraction of Mills' ratio, Phi(-t)/phi(t) = 1 / (t + K), K = 1 / (t + 2 / (t + 3 / ...)): returns K.
double mills_rest(double t) {
  constexpr int kTerms = 60;  // the relative error was 1e-12 at t = 2 and falls exponentially with t: rounding alone from t = 4 on
  double tail = t;
  for (int n = kTerms; n >= 2; --n) tail = t + n / tail;
  return 1 / tail;
}

double log_density(double z) {
  return -0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi);
}

constexpr double kTail = -4;  // below it differences cancel and the continued fraction serves

// log of h(z) = phi(z) + z Phi(z). Below -4 the two terms cancel, and it is h = phi(t) K / (t + K) without a difference.
double log_h(double z) {
  if (z > kTail) return std::log(std::exp(log_density(z)) + z * 0.5 * std::erfc(-z / std::numbers::sqrt2));
  const double k = mills_rest(-z);
  return log_density(z) + std::log(k / (k - z));
}

// log(exp(a) - exp(b)) for a >= b.
double log_difference(double a, double b) {
  return b == kNothing ? a : a > b ? a + std::log(-std::expm1(b - a)) : kNothing;
}

// Sum of exp(terms) in logs, kept as (largest, sum of exp(term - largest)).
class LogSum {
 public:
  void add(double term) {
    if (term == kNothing) return;
    if (term <= largest_) {
      sum_ += std::exp(term - largest_);
    } else {
      sum_ = sum_ * std::exp(largest_ - term) + 1;
      largest_ = term;
    }
  }
  double log() const { return largest_ == kNothing ? kNothing : largest_ + std::log(sum_); }

 private:
  double largest_ = kNothing, sum_ = 0;
};

}  // namespace

double log_expected_improvement(double level, const Belief& f) {
  if (!(f.stddev > 0)) return level > f.mean ? std::log(level - f.mean) : kNothing;
  return log_h((level - f.mean) / f.stddev) + std::log(f.stddev);
}

double log_probability_below(double level, const Belief& f) {
  if (!(f.stddev > 0)) return f.mean <= level ? 0 : kNothing;
  const double z = (level - f.mean) / f.stddev;
  if (z > kTail) return std::log(0.5 * std::erfc(-z / std::numbers::sqrt2));
  return log_density(z) - std::log(mills_rest(-z) - z);
}

HypervolumeImprovement::HypervolumeImprovement(const std::vector<Point>& front, const Point& reference) {
  std::vector<Point> inside;
  for (const int i : non_dominated(front)) {
    const Point& p = front[static_cast<std::size_t>(i)];
    bool is_below = true;
    for (std::size_t k = 0; k < p.size(); ++k) is_below &= p[k] < reference[k];
    if (is_below) inside.push_back(p);
  }
  edges_.resize(reference.size());
  for (std::size_t k = 0; k < reference.size(); ++k) {
    std::vector<double>& levels = edges_[k];
    for (const Point& p : inside) levels.push_back(p[k]);
    levels.push_back(reference[k]);
    std::sort(levels.begin(), levels.end());
    levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  }
  const auto index_of = [&](std::size_t k, double level) {
    const std::vector<double>& levels = edges_[k];
    if (std::isinf(level) && level < 0) return -1;
    return static_cast<int>(std::lower_bound(levels.begin(), levels.end(), level) - levels.begin());
  };
  for (const Box& box : non_dominated_boxes(std::move(inside), reference)) {
    for (std::size_t k = 0; k < reference.size(); ++k) strips_.push_back({index_of(k, box.low[k]), index_of(k, box.high[k])});
  }
}

double HypervolumeImprovement::log_expected(std::span<const Belief> point) const {
  const std::size_t coordinates = edges_.size();
  std::vector<std::vector<double>> log_psi(coordinates);
  for (std::size_t k = 0; k < coordinates; ++k) {
    for (const double level : edges_[k]) log_psi[k].push_back(log_expected_improvement(level, point[k]));
    if (log_psi[k].back() == kNothing) return kNothing;  // beyond the reference
  }
  LogSum sum;
  for (std::size_t first = 0; first < strips_.size(); first += coordinates) {
    double term = 0;
    for (std::size_t k = 0; k < coordinates && term != kNothing; ++k) {
      const Strip strip = strips_[first + k];
      const double high = log_psi[k][static_cast<std::size_t>(strip.high)];
      const double low = strip.low < 0 ? kNothing : log_psi[k][static_cast<std::size_t>(strip.low)];
      term += high == kNothing ? kNothing : log_difference(high, low);
    }
    sum.add(term);
  }
  return sum.log();
}

}  // namespace lathe::search
