// How predictions agree with measurements.
#pragma once

#include <vector>

namespace lathe::measurements {

// Not a number where there are no values.
double mean(const std::vector<double>& values);
double median(std::vector<double> values);

// Rank correlation with mean ranks for ties; not a number where one side does not vary.
double spearman(const std::vector<double>& a, const std::vector<double>& b);

// Median of |predicted / measured - 1|; rows whose measurement is not above 0 are left out.
double median_relative_error(const std::vector<double>& predicted, const std::vector<double>& measured);

}  // namespace lathe::measurements
