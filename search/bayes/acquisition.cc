#include "search/bayes/acquisition.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace lathe::search {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

// log of h(z) = phi(z) + z Phi(z). Below -4 the two terms cancel; with t = -z and the continued fraction of Mills' ratio,
// Phi(-t)/phi(t) = 1 / (t + K), K = 1 / (t + 2 / (t + 3 / ...)), it is h = phi(t) K / (t + K) without a difference.
double log_h(double z) {
  const double log_density = -0.5 * z * z - 0.5 * std::log(2 * std::numbers::pi);
  if (z > -4) return std::log(std::exp(log_density) + z * 0.5 * std::erfc(-z / std::numbers::sqrt2));
  const double t = -z;
  constexpr int kTerms = 60;  // the relative error was 1e-12 at t = 2 and falls exponentially with t: rounding alone from t = 4 on
  double tail = t;
  for (int n = kTerms; n >= 2; --n) tail = t + n / tail;
  const double k = 1 / tail;
  return log_density + std::log(k) - std::log(t + k);
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

Point without(const Point& point, int coordinate) {
  Point rest = point;
  rest.erase(rest.begin() + coordinate);
  return rest;
}

}  // namespace

double log_expected_improvement(double level, double mean, double stddev) {
  if (!(stddev > 0)) return level > mean ? std::log(level - mean) : kNothing;
  return log_h((level - mean) / stddev) + std::log(stddev);
}

HypervolumeImprovement::HypervolumeImprovement(const std::vector<Point>& front, Point reference, int measured, double highest_measured)
    : reference_(std::move(reference)), measured_(measured) {
  for (const int i : non_dominated(front)) {
    const Point& p = front[static_cast<std::size_t>(i)];
    bool is_below = true;
    for (std::size_t k = 0; k < p.size(); ++k) is_below &= p[k] < reference_[k];
    if (is_below) front_.push_back(p);
  }
  if (measured_ < 0) return;
  const auto m = static_cast<std::size_t>(measured_);
  highest_measured_ = std::min(reference_[m], highest_measured);
  std::sort(front_.begin(), front_.end(), [m](const Point& a, const Point& b) { return a[m] != b[m] ? a[m] < b[m] : a < b; });
  for (const Point& p : front_) exact_.push_back(without(p, measured_));
  exact_reference_ = without(reference_, measured_);
}

double HypervolumeImprovement::log_of_exact(const Point& point) const {
  std::vector<Point> with = front_;
  with.push_back(point);
  const double gain = hypervolume(with, reference_) - hypervolume(front_, reference_);
  return gain > 0 ? std::log(gain) : kNothing;
}

double HypervolumeImprovement::log_expected(const Point& point, double mean, double stddev) const {
  if (measured_ < 0) return log_of_exact(point);
  const Point x = without(point, measured_);
  double left = 1;  // volume of the exact box that is not covered yet
  for (std::size_t k = 0; k < x.size(); ++k) {
    if (!(x[k] < exact_reference_[k])) return kNothing;
    left *= exact_reference_[k] - x[k];
  }
  const double whole = left;
  LogSum sum;
  std::vector<Point> covering;
  for (std::size_t i = 0; i < front_.size() && left > 0; ++i) {
    const double level = std::min(front_[i][static_cast<std::size_t>(measured_)], highest_measured_);
    double still_left = 0;
    if (x.size() == 1) {
      still_left = std::min(left, std::max(exact_[i][0], x[0]) - x[0]);
    } else if (x.size() > 1) {
      Point clipped = exact_[i];
      for (std::size_t k = 0; k < x.size(); ++k) clipped[k] = std::max(clipped[k], x[k]);
      covering.push_back(std::move(clipped));
      still_left = std::clamp(whole - hypervolume(covering, exact_reference_), 0.0, left);  // rounding must not make it grow
    }
    if (still_left < left) sum.add(std::log(left - still_left) + log_expected_improvement(level, mean, stddev));
    left = still_left;
  }
  if (left > 0) sum.add(std::log(left) + log_expected_improvement(highest_measured_, mean, stddev));
  return sum.log();
}

}  // namespace lathe::search
