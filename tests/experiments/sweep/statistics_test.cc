// Reference values are those of SciPy 1.17 (scipy.stats) unless said otherwise.
#include "experiments/sweep/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lathe::experiments {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;

TEST(Summary, MatchesNumPy) {
  const Summary s = summarize({3.1, 1.2, 5.5, 2.2, 4.0, 9.7});
  EXPECT_EQ(s.count, 6);
  EXPECT_NEAR(s.mean, 4.283333333333333, 1e-14);
  EXPECT_NEAR(s.stddev, 3.0380366466958004, 1e-14);
  EXPECT_DOUBLE_EQ(s.minimum, 1.2);
  EXPECT_NEAR(s.lower_quartile, 2.425, 1e-14);
  EXPECT_NEAR(s.median, 3.55, 1e-14);
  EXPECT_NEAR(s.upper_quartile, 5.125, 1e-14);
  EXPECT_DOUBLE_EQ(s.maximum, 9.7);
}

TEST(Summary, OneValueHasNoSpread) {
  const Summary s = summarize({2});
  EXPECT_EQ(s.stddev, 0);
  EXPECT_EQ(s.median, 2);
}

TEST(WilcoxonSignedRank, ExactWithoutTies) {
  const SignedRank r = wilcoxon_signed_rank({0.011, -0.002, 0.024, 0.006, 0.013, -0.003, 0.014, -0.001, 0.019, 0.02});
  EXPECT_EQ(r.pairs, 10);
  EXPECT_EQ(r.statistic, 6);
  EXPECT_NEAR(r.p_value, 0.02734375, 1e-15);
}

// By enumerating all 2^9 signs of the nine differences that are not zero.
TEST(WilcoxonSignedRank, ExactWithTiesAndZeros) {
  const SignedRank r = wilcoxon_signed_rank({1, 2, -2, 3, 3, 4, -1, 5, 0, 6});
  EXPECT_EQ(r.pairs, 9);
  EXPECT_EQ(r.statistic, 5);
  EXPECT_NEAR(r.p_value, 0.0390625, 1e-15);
}

TEST(WilcoxonSignedRank, NormalApproximationForMany) {
  std::vector<double> differences;
  for (int i = 0; i < 300; ++i) differences.push_back(((i * 7919) % 401 - 150) / 10.0);
  const SignedRank r = wilcoxon_signed_rank(differences);
  EXPECT_EQ(r.statistic, 11971);
  EXPECT_NEAR(r.p_value, 2.8119221404345537e-12, 1e-20);
}

TEST(WilcoxonSignedRank, NothingDiffers) {
  EXPECT_EQ(wilcoxon_signed_rank({0, 0, 0}).p_value, 1);
  EXPECT_EQ(wilcoxon_signed_rank({}).pairs, 0);
}

// statsmodels.stats.multitest.multipletests(p, method="holm") 0.14
TEST(Holm, AdjustsStepDown) {
  EXPECT_THAT(holm_adjusted({0.01, 0.04, 0.03, 0.5}),
              ElementsAre(DoubleNear(0.04, 1e-15), DoubleNear(0.09, 1e-15), DoubleNear(0.09, 1e-15), DoubleNear(0.5, 1e-15)));
}

TEST(Friedman, MatchesSciPyWithTies) {
  const FriedmanTest test =
      friedman_test({{0.9, 0.8, 0.7}, {0.85, 0.86, 0.6}, {0.7, 0.6, 0.5}, {0.9, 0.9, 0.4}, {0.8, 0.7, 0.75}, {0.6, 0.5, 0.55}});
  EXPECT_NEAR(test.chi_square, 6.347826086956516, 1e-12);
  EXPECT_NEAR(test.p_value, 0.04183955715720691, 1e-12);
  EXPECT_THAT(test.mean_ranks, ElementsAre(DoubleNear(1.25, 1e-12), DoubleNear(25.0 / 12, 1e-12), DoubleNear(8.0 / 3, 1e-12)));
}

// Demsar 2006, section 3.2.2: four methods on 14 data sets, CD = 2.569 sqrt(4 * 5 / (6 * 14)) = 1.25.
TEST(Friedman, CriticalDifferenceOfThePaper) {
  const std::vector<std::vector<double>> values(14, {0.4, 0.3, 0.2, 0.1});
  EXPECT_NEAR(friedman_test(values).critical_difference, 1.25, 0.005);
}

TEST(Friedman, AllEqualIsNoEvidence) {
  const FriedmanTest test = friedman_test({{1, 1, 1}, {2, 2, 2}});
  EXPECT_EQ(test.p_value, 1);
  EXPECT_THAT(test.mean_ranks, ElementsAre(2, 2, 2));
}

TEST(StudentizedRange, MatchesSciPyAtInfiniteDegrees) {
  EXPECT_NEAR(studentized_range_quantile(2, 0.05), 2.771807648699355, 1e-6);
  EXPECT_NEAR(studentized_range_quantile(3, 0.10), 2.9023802134282515, 1e-6);
  EXPECT_NEAR(studentized_range_quantile(5, 0.05), 3.857655510378623, 1e-6);
  EXPECT_NEAR(studentized_range_quantile(10, 0.05), 4.474124221725907, 1e-6);
  EXPECT_NEAR(studentized_range_quantile(50, 0.10), 5.356686875267444, 1e-6);
}

TEST(ChiSquare, MatchesSciPy) {
  EXPECT_NEAR(chi_square_survival(3.84, 1), 0.05004352124870519, 1e-12);
  EXPECT_NEAR(chi_square_survival(0.5, 3), 0.9188914116546758, 1e-12);
  EXPECT_NEAR(chi_square_survival(20, 5) / 0.0012497305630313773, 1, 1e-10);
  EXPECT_NEAR(chi_square_survival(300, 200) / 5.924540335483916e-06, 1, 1e-10);
  EXPECT_NEAR(chi_square_survival(1e-3, 2), 0.9995001249791693, 1e-14);
  EXPECT_EQ(chi_square_survival(0, 4), 1);
}

}  // namespace
}  // namespace lathe::experiments
