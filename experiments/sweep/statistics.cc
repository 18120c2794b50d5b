#include "experiments/sweep/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <numeric>

#include "models/base/check.h"

namespace lathe::experiments {
namespace {

// Ranks from 1, ascending; ties share the mean of theirs.
std::vector<double> mid_ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0; begin < order.size();) {
    std::size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = 0.5 * static_cast<double>(begin + 1 + end);
    begin = end;
  }
  return ranks;
}

// Sum over groups of equal ranks of t^3 - t.
double tie_sum(std::vector<double> ranks) {
  std::sort(ranks.begin(), ranks.end());
  double sum = 0;
  for (std::size_t begin = 0; begin < ranks.size();) {
    std::size_t end = begin + 1;
    while (end < ranks.size() && ranks[end] == ranks[begin]) ++end;
    const double t = static_cast<double>(end - begin);
    sum += t * t * t - t;
    begin = end;
  }
  return sum;
}

double normal_cdf(double z) {
  return 0.5 * std::erfc(-z / std::numbers::sqrt2);
}

// P(W <= w) where each rank counts or not with probability 1/2. Ranks are multiples of 1/2, so twice the sum is an integer.
double rank_sum_cdf(const std::vector<double>& ranks, double w) {
  std::size_t most = 0;
  std::vector<std::size_t> doubled;
  for (const double rank : ranks) {
    doubled.push_back(static_cast<std::size_t>(std::llround(2 * rank)));
    most += doubled.back();
  }
  std::vector<double> probability(most + 1, 0.0);
  probability[0] = 1;
  std::size_t reached = 0;
  for (const std::size_t rank : doubled) {
    reached += rank;
    for (std::size_t sum = reached + 1; sum-- > 0;)
      probability[sum] = 0.5 * (probability[sum] + (sum >= rank ? probability[sum - rank] : 0.0));
  }
  const auto last = static_cast<std::size_t>(std::llround(2 * w));
  return std::accumulate(probability.begin(), probability.begin() + static_cast<std::ptrdiff_t>(std::min(last, most)) + 1, 0.0);
}

// P(range of k standard normal values <= q) = k * integral of phi(z) (Phi(z) - Phi(z - q))^(k-1) dz, by Simpson's rule.
double range_cdf(double q, int k) {
  constexpr double kLow = -8, kHigh = 16;  // phi vanishes below; above, phi does too (z up to 8 + q)
  constexpr int kSteps = 4800;             // h = 0.005: the error of the rule is far below 1e-9
  const double h = (kHigh - kLow) / kSteps;
  double sum = 0;
  for (int i = 0; i <= kSteps; ++i) {
    const double z = kLow + h * i;
    const double phi = std::exp(-0.5 * z * z) / std::sqrt(2 * std::numbers::pi);
    const double f = phi * std::pow(normal_cdf(z) - normal_cdf(z - q), k - 1);
    sum += f * (i == 0 || i == kSteps ? 1 : i % 2 == 1 ? 4 : 2);
  }
  return k * sum * h / 3;
}

}  // namespace

Summary summarize(std::vector<double> values) {
  LATHE_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  const auto quantile = [&](double share) {
    const double at = share * (n - 1);
    const auto low = static_cast<std::size_t>(at);
    const std::size_t high = std::min(low + 1, values.size() - 1);
    return values[low] + (at - std::floor(at)) * (values[high] - values[low]);
  };
  Summary summary{.count = static_cast<int>(values.size()),
                  .mean = std::accumulate(values.begin(), values.end(), 0.0) / n,
                  .minimum = values.front(),
                  .lower_quartile = quantile(0.25),
                  .median = quantile(0.5),
                  .upper_quartile = quantile(0.75),
                  .maximum = values.back()};
  double squares = 0;
  for (const double value : values) squares += (value - summary.mean) * (value - summary.mean);
  if (values.size() > 1) summary.stddev = std::sqrt(squares / (n - 1));
  return summary;
}

SignedRank wilcoxon_signed_rank(const std::vector<double>& differences) {
  constexpr std::size_t kMostExact = 200;
  std::vector<double> sizes;
  std::vector<bool> is_positive;
  for (const double difference : differences) {
    if (difference == 0) continue;
    sizes.push_back(std::abs(difference));
    is_positive.push_back(difference > 0);
  }
  SignedRank result{.pairs = static_cast<int>(sizes.size())};
  if (sizes.empty()) return result;
  const std::vector<double> ranks = mid_ranks(sizes);
  double positive = 0, negative = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) (is_positive[i] ? positive : negative) += ranks[i];
  result.statistic = std::min(positive, negative);
  if (sizes.size() <= kMostExact) {
    result.p_value = std::min(1.0, 2 * rank_sum_cdf(ranks, result.statistic));
    return result;
  }
  const auto n = static_cast<double>(sizes.size());
  const double mean = n * (n + 1) / 4;
  const double variance = n * (n + 1) * (2 * n + 1) / 24 - tie_sum(ranks) / 48;
  result.p_value = std::min(1.0, 2 * normal_cdf((result.statistic - mean) / std::sqrt(variance)));
  return result;
}

std::vector<double> holm_adjusted(const std::vector<double>& p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(order.size() - i) * p_values[order[i]]));
    adjusted[order[i]] = largest;
  }
  return adjusted;
}

FriedmanTest friedman_test(const std::vector<std::vector<double>>& values) {
  LATHE_CHECK(!values.empty());
  const std::size_t methods = values.front().size();
  LATHE_CHECK_GE(methods, std::size_t{2});
  const auto n = static_cast<double>(values.size()), k = static_cast<double>(methods);
  FriedmanTest test{.mean_ranks = std::vector<double>(methods, 0.0)};
  double ties = 0;
  for (const std::vector<double>& block : values) {
    LATHE_CHECK_EQ(block.size(), methods);
    std::vector<double> falling;  // rank 1 for the largest
    for (const double value : block) falling.push_back(-value);
    const std::vector<double> ranks = mid_ranks(falling);
    for (std::size_t m = 0; m < methods; ++m) test.mean_ranks[m] += ranks[m] / n;
    ties += tie_sum(ranks);
  }
  double squares = 0;
  for (const double rank : test.mean_ranks) squares += (rank - (k + 1) / 2) * (rank - (k + 1) / 2);
  const double correction = 1 - ties / (n * k * (k * k - 1));
  if (correction > 0) {
    test.chi_square = 12 * n / (k * (k + 1)) * squares / correction;
    test.p_value = chi_square_survival(test.chi_square, static_cast<int>(methods) - 1);
  }
  // Demsar 2006, section 3.2.2: CD = q_alpha sqrt(k (k + 1) / (6 N)), q_alpha the studentized range's quantile over sqrt(2).
  test.critical_difference =
      studentized_range_quantile(static_cast<int>(methods), 0.05) / std::numbers::sqrt2 * std::sqrt(k * (k + 1) / (6 * n));
  return test;
}

double studentized_range_quantile(int k, double alpha) {
  LATHE_CHECK_GE(k, 2);
  double low = 0, high = 16;
  for (int i = 0; i < 60; ++i) {
    const double middle = 0.5 * (low + high);
    (1 - range_cdf(middle, k) > alpha ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

double chi_square_survival(double x, int degrees_of_freedom) {
  if (x <= 0) return 1;
  const double a = 0.5 * degrees_of_freedom, t = 0.5 * x;
  const double scale = std::exp(-t + a * std::log(t) - std::lgamma(a));
  constexpr int kMostTerms = 10000;
  constexpr double kEnough = 1e-15;
  // Abramowitz and Stegun 1964: 6.5.29, the series of the lower function, where that converges fast;
  if (t < a + 1) {
    double term = 1 / a, sum = term;
    for (int n = 1; n < kMostTerms && term > kEnough * sum; ++n) sum += term *= t / (a + n);
    return 1 - scale * sum;
  }
  // 6.5.31, the continued fraction of the upper one, elsewhere, evaluated from the front (W. Lentz 1976).
  double b = t + 1 - a, c = 1e300, d = 1 / b, fraction = d;
  for (int n = 1; n < kMostTerms; ++n) {
    const double numerator = -n * (n - a);
    b += 2;
    d = 1 / (numerator * d + b);
    c = b + numerator / c;
    fraction *= c * d;
    if (std::abs(c * d - 1) < kEnough) break;
  }
  return scale * fraction;
}

}  // namespace lathe::experiments
