// Expected hypervolume improvement of a front when one metric is uncertain and all others are known exactly, in closed form.
#pragma once

#include <vector>

#include "search/pareto.h"

namespace lathe::search {

// log E[max(0, level - f)] for f ~ N(mean, stddev^2), accurate into the far tail where the expectation itself underflows; -inf if it is
// zero. S. Ament, S. Daulton, D. Eriksson, M. Balandat, E. Bakshy, Unexpected Improvements to Expected Improvement, NeurIPS 2023.
double log_expected_improvement(double level, double mean, double stddev);

// For a point with exact coordinates x and measured coordinate f ~ N(mean, stddev^2), all minimized, the hypervolume that it adds is
//   int_f^ref g(t) dt,  g(t) = volume of the exact box [x, ref] that front points with measured coordinate <= t leave uncovered,
// a falling step function whose steps lie at the front's measured coordinates v_1 <= v_2 <= ... Taking the expectation under the integral
// and summing by parts,
//   E = sum_k c_k E[max(0, v_k - f)] + c_ref E[max(0, ref - f)],
// with c_k >= 0 the volume that front point k newly covers. (The many-objective formula of K. Yang, M. Emmerich, A. Deutz, T. Baeck,
// Efficient Computation of Expected Hypervolume Improvement, 2019, reduces to this where all other deviations are zero.)
class HypervolumeImprovement {
 public:
  // front: minimized points; reference: minimized. measured: which coordinate is uncertain; -1 if none is. highest_measured: the limit of
  // the measured coordinate, beyond which a point is of no use (infinity = none).
  HypervolumeImprovement(const std::vector<Point>& front, Point reference, int measured, double highest_measured);

  // point: the measured coordinate is ignored. Returns the log of the expectation; -inf if nothing can be gained.
  double log_expected(const Point& point, double mean, double stddev) const;

 private:
  double log_of_exact(const Point& point) const;
  std::vector<Point> front_;  // all coordinates, by ascending measured one
  std::vector<Point> exact_;  // of the same points the exact coordinates
  Point reference_, exact_reference_;
  int measured_;
  double highest_measured_ = 0;
};

}  // namespace lathe::search
