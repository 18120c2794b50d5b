// A lower bound on the minimum of a sum of functions of few discrete variables each: bucket elimination, and mini-buckets where a table
// would grow too large (R. Dechter, I. Rish, Mini-Buckets: A General Scheme for Bounded Inference, Journal of the ACM 50, 2003, section 3).
// Variables are eliminated in the order of the smallest tables that arise. Without mini-buckets the bound is the minimum itself.
#pragma once

#include <cstddef>
#include <vector>

#include "policies/additive_cost.h"

namespace lathe::search {

class LeastCostBound {
 public:
  // extents: values of each variable. terms: what depends on what; their values do not matter here.
  LeastCostBound(std::vector<int> extents, const std::vector<policies::CostTerm>& terms, std::size_t most_values = 1 << 18);

  // Of the sum of the terms, whose decisions must be those of the constructor's terms (or single variables). Thread-safe.
  double bound(std::vector<policies::CostTerm> terms) const;
  // Whether bound() is the minimum.
  bool is_exact() const { return is_exact_; }

 private:
  std::vector<std::vector<policies::CostTerm>> mini_buckets(std::vector<policies::CostTerm> bucket) const;
  policies::CostTerm minimize_over(int variable, const std::vector<policies::CostTerm>& terms) const;

  std::vector<int> extents_;
  std::size_t most_values_;
  std::vector<int> order_;
  bool is_exact_ = true;
};

}  // namespace lathe::search
