// What a metric's values look like to a Gaussian process: as they are where they decide something, on a log scale far from there.
#pragma once

#include <limits>
#include <span>

#include "search/problem.h"

namespace lathe::search {

// A deflection that may be 0.015 and comes out as 17,000 says no more than "far too much", but standardized together they would leave a
// model no resolution where it counts. So what lies further than a reach s beyond a centre c becomes
//   t(y) = c +- s (1 + log(|y - c| / s)),
// once differentiable, and the rest stays as it is. Objectives are compressed on their bad side, around the reference point: hypervolume
// does not see it. Constraints are compressed on both sides of the limit, which stays in its place: the probability of keeping it is that
// of the values themselves. (D. Eriksson, M. Poloczek, Scalable Constrained Bayesian Optimization, AISTATS 2021, section 3, take the
// logarithm everywhere; most metrics need none.)
class TailCompression {
 public:
  TailCompression() = default;  // leaves everything as it is
  // raw: observed values of the metric, whose interquartile range is the reach. Nothing is compressed where the problem sets no reference
  // point and no limit for it.
  TailCompression(const Problem& problem, int metric, std::span<const double> raw);

  double operator()(double raw) const;
  double slope(double raw) const;  // dt/dy

 private:
  double centre_ = 0, reach_ = 0;
  double low_ = -std::numeric_limits<double>::infinity(), high_ = -low_;  // what lies between them stays as it is
};

}  // namespace lathe::search
