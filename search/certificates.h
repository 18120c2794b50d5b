// How good any policy could be at most: for a latency, an upper bound on the accuracy that a policy of the space which is no slower can
// have in the additive model of the layers' sensitivities, and so a certificate of how near a policy comes to the best.
//
// In the model a policy p loses l(p) = sum_d drop[d][p_d], and takes t(p) = c + sum_k t_k(p), each t_k of few decisions. By weak duality
// no policy with t(p) <= T loses less than
//   max over lambda >= 0 of  min_p { l(p) + lambda (t(p) - T) }
// (M. L. Fisher, The Lagrangian Relaxation Method for Solving Integer Programming Problems, Management Science 27, 1981, section 2). The
// inner minimum is found exactly by elimination of one decision after the other, or bounded from below where tables grow too large
// (least_cost_bound.h); any lambda gives a valid bound, so a search along a line for the best one is enough. Where the inner minimum is
// exact the bound is the lower convex hull of all policies' (t, l) at T: what a policy misses it by is at most the duality gap.
//
// It holds in the model. A policy's measured accuracy may be above or below what the model says of it, and of the bound.
#pragma once

#include <span>
#include <vector>

#include "policies/additive_cost.h"
#include "policies/search_space.h"
#include "search/least_cost_bound.h"

namespace lathe::search {

class Certificates {
 public:
  // drops: as Problem::sensitivity, >= 0. latency: of the same decisions.
  Certificates(std::vector<std::vector<double>> drops, policies::AdditiveCost latency);

  // Expected loss of a candidate in the model.
  double loss(const policies::Candidate& candidate) const;
  // No candidate whose latency is at most that loses less. Where no candidate is that fast, any number.
  double least_loss(double latency_ms) const;
  // Whether least_loss() is the convex hull, to the line search's end, and not further below.
  bool is_exact() const { return latency_.is_exact && minimum_.is_exact(); }

 private:
  double dual(double lambda) const;  // min_p { l(p) + lambda (t(p) - c) }, or less

  std::vector<std::vector<double>> drops_;
  policies::AdditiveCost latency_;
  LeastCostBound minimum_;
  std::vector<double> lambdas_, duals_;  // on a grid, ascending
};

}  // namespace lathe::search
