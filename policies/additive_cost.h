// A figure of a candidate (its latency on a device) as a constant and a sum of terms that depend on few decisions each.
#pragma once

#include <vector>

namespace lathe::policies {

struct CostTerm {
  std::vector<int> decisions;  // ascending indices into SearchSpace::decisions
  std::vector<double> values;  // by their choices, the first decision's moves fastest
  bool operator==(const CostTerm&) const = default;
};

struct AdditiveCost {
  double constant = 0;
  std::vector<CostTerm> terms;
  bool is_exact = true;  // else the sum may be below the figure, never above it
};

}  // namespace lathe::policies
