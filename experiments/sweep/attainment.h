// What several searches reached together: the empirical attainment function of their fronts (V. Grunert da Fonseca, C. Fonseca, A. Hall:
// Inferential Performance Assessment of Stochastic Optimisers and the Attainment Function, EMO 2001), for a cost that is to be small and a
// value that is to be large.
#pragma once

#include <vector>

namespace lathe::experiments {

struct FrontPoint {
  double cost;   // latency, energy or bytes
  double value;  // accuracy
  bool operator==(const FrontPoint&) const = default;
};

// The boundary of what at least `count` of the fronts attain: at a cost of x, each of them has a point of cost <= x and of the value or
// more that the last step at or before x says. Steps by rising cost and value; empty where not so many fronts reach anything.
std::vector<FrontPoint> attainment_boundary(const std::vector<std::vector<FrontPoint>>& fronts, int count);

// At least one, of `runs` searches: what a share of them attains.
int runs_of_share(int runs, double share);

}  // namespace lathe::experiments
