// Statistics of repeated searches, as J. Demsar recommends them (Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 7,
// 2006): Wilcoxon's signed-rank test for two methods, Friedman's test and Nemenyi's critical difference for more.
#pragma once

#include <vector>

namespace lathe::experiments {

struct Summary {
  int count = 0;
  double mean = 0, stddev = 0;  // stddev: of the sample (divisor n - 1); 0 for one value
  double minimum = 0, lower_quartile = 0, median = 0, upper_quartile = 0, maximum = 0;
};
// Quantiles interpolate linearly between order statistics (type 7 of R. Hyndman, Y. Fan: Sample Quantiles in Statistical Packages, 1996).
// values: at least one.
Summary summarize(std::vector<double> values);

struct SignedRank {
  int pairs = 0;         // that differ; equal ones are dropped
  double statistic = 0;  // the smaller of the two sums of ranks
  double p_value = 1;    // two-sided
};
// F. Wilcoxon: Individual Comparisons by Ranking Methods, 1945. The p-value is exact for up to 200 pairs, ties included: the distribution
// of the rank sum over all 2^n signs is counted. Beyond, the normal approximation with the correction for ties.
SignedRank wilcoxon_signed_rank(const std::vector<double>& differences);

// Adjusted p-values by S. Holm: A Simple Sequentially Rejective Multiple Test Procedure, 1979; in the order given.
std::vector<double> holm_adjusted(const std::vector<double>& p_values);

struct FriedmanTest {
  std::vector<double> mean_ranks;  // of each method; 1 = the largest value in every block; ties share their mean rank
  double chi_square = 0;           // corrected for ties
  double p_value = 1;
  double critical_difference = 0;  // of two mean ranks, P. Nemenyi 1963, at the level 0.05
};
// values[block][method]: at least two methods and one block.
FriedmanTest friedman_test(const std::vector<std::vector<double>>& values);

// Upper quantile of the studentized range of k normal values with infinite degrees of freedom: P(range > q) = alpha. Absolute error below
// 1e-6 for k from 2 to 100 and alpha from 0.001 to 0.5.
double studentized_range_quantile(int k, double alpha);

// P(X > x) of the chi-square distribution, by the incomplete gamma function; relative error below 1e-10 for up to 1000 degrees of freedom.
double chi_square_survival(double x, int degrees_of_freedom);

}  // namespace lathe::experiments
