// Chooses a folding for every stage of a dataflow pipeline: the least initiation interval (cycles of the slowest stage) that fits.
//
//   minimize II  subject to  cycles_i(x_i) <= II for every stage i,  sum_i resources_i(x_i) <= limits
//
// Whether an interval fits grows with the interval, so it is found by bisection. For one interval the question is a multiple-choice
// knapsack with three resources, answered by Lagrangian relaxation (M. L. Fisher, The Lagrangian Relaxation Method for Solving Integer
// Programming Problems, Management Science 1981): with prices p >= 0 each stage takes its cheapest option; the sum of these costs above
// p . limits proves that nothing fits, a choice within the limits proves that something does, and otherwise the price of what is short
// rises. A choice that is nearly within the limits is repaired greedily. The gap that integrality leaves shrinks with the number of stages;
// up to kExactStages of them, it is closed by branch and bound.
#pragma once

#include <span>
#include <vector>

#include "hwmodels/dataflow_stage.h"

namespace lathe::hwmodels {

inline constexpr int kExactStages = 8;

struct FoldingSolution {
  bool is_feasible = false;
  double initiation_interval = 0;  // cycles
  std::vector<int> chosen;         // an index into the options of each stage; infeasible: those that take the least share of the limits
  ResourceVector used{};           // by the chosen options; infeasible: above at least one limit
};

// stages: none may be null or empty. least_interval: a bound from elsewhere (input and output). Stateless, thread-safe.
FoldingSolution solve_folding(std::span<const StageOptions* const> stages, const ResourceVector& limits, double least_interval);

}  // namespace lathe::hwmodels
