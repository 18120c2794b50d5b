// Expected hypervolume improvement of a front, in closed form.
#pragma once

#include <span>
#include <vector>

#include "search/bayes/box_decomposition.h"

namespace lathe::search {

// What is believed of a metric of a candidate, in its own units: normal, or known exactly (stddev 0).
struct Belief {
  double mean = 0, stddev = 0;
};

// log E[max(0, level - f)] for f ~ N(mean, stddev^2), accurate into the far tail where the expectation itself underflows; -inf if it is
// zero. S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy, Unexpected Improvements to Expected Improvement, NeurIPS 2023.
double log_expected_improvement(double level, const Belief& f);

// log P(f <= level), accurate into the far tail; 0 or -inf where f is known exactly.
double log_probability_below(double level, const Belief& f);

// A point y adds to the hypervolume, in each box (l, u] of the region that the front leaves free, prod_k (max(0, u_k - y_k) - max(0, l_k -
// y_k)). For independent y_k the expectation is therefore
//   E = sum over boxes of prod_k [psi_k(u_k) - psi_k(l_k)],   psi_k(a) = E[max(0, a - y_k)]
// (K. Yang, M. Emmerich, A. Deutz, T. Baeck, Efficient Computation of Expected Hypervolume Improvement Using Box Decomposition Algorithms,
// Journal of Global Optimization 75, 2019). A coordinate that is known exactly is the case of deviation 0, psi(a) = max(0, a - y): latency,
// energy and size enter without any model. All in logs, so that the sum has a slope where it would underflow.
class HypervolumeImprovement {
 public:
  // front: minimized points, dominated ones allowed; reference: minimized.
  HypervolumeImprovement(const std::vector<Point>& front, const Point& reference);

  // point: one belief for each coordinate. Returns the log of the expectation; -inf if nothing can be gained.
  double log_expected(std::span<const Belief> point) const;

 private:
  struct Strip {
    int low, high;  // indices into the coordinate's edges; -1 = -infinity
  };
  std::vector<std::vector<double>> edges_;  // of each coordinate, distinct and ascending; -infinity is left out
  std::vector<Strip> strips_;               // [boxes, coordinates]
};

}  // namespace lathe::search
