#include <gtest/gtest.h>

#include "evaluators/evaluator.h"

namespace lathe::evaluators {
namespace {

// R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 1998, table I, method 3 (score, without
// continuity correction).
TEST(WilsonInterval, MatchesNewcombesTable) {
  const struct {
    std::int64_t k, n;
    double low, high;
  } rows[] = {
      {81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0.0000, 0.1611}, {1, 29, 0.0061, 0.1718}, {29, 29, 0.8830, 1.0000}};
  for (const auto& row : rows) {
    const auto [low, high] = wilson_interval(row.k, row.n);
    EXPECT_NEAR(low, row.low, 5e-5) << row.k << " of " << row.n;
    EXPECT_NEAR(high, row.high, 5e-5) << row.k << " of " << row.n;
  }
}

// 10 rows, a right on rows 0-7, b right on rows 0-4 and 8: differences +1 three times, -1 once, 0 six times.
// mean 0.2, mean square 0.4, variance 0.36, standard error 0.6 / sqrt(10) = 0.189737, times 1.959964 = 0.371877.
TEST(PairedDifference, UsesTheVarianceOfTheDifferences) {
  const std::vector<std::uint8_t> a{1, 1, 1, 1, 1, 1, 1, 1, 0, 0}, b{1, 1, 1, 1, 1, 0, 0, 0, 1, 0};
  const auto paired = paired_difference(a, b);
  EXPECT_DOUBLE_EQ(paired.difference, 0.2);
  EXPECT_NEAR(paired.interval.first, 0.2 - 0.371877, 1e-6);
  EXPECT_NEAR(paired.interval.second, 0.2 + 0.371877, 1e-6);
  const auto same = paired_difference(a, a);
  EXPECT_EQ(same.interval, (std::pair<double, double>{0, 0}));
}

}  // namespace
}  // namespace lathe::evaluators
