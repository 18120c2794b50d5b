// Chooses a folding for every stage of a dataflow pipeline: the least initiation interval (cycles of the slowest stage) that fits.
//
//   minimize II  subject to  cycles_i(x_i) <= II for every stage i,  sum_i resources_i(x_i) <= limits
//
// For one interval the question whether anything fits is a multiple-choice knapsack with three resources. It is answered by prices p >= 0,
// sum p = 1, of the three limits (M. L. Fisher, The Lagrangian Relaxation Method for Solving Integer Programming Problems, Management
// Science 1981): each stage takes the option that costs least. A pass over the stages moves the prices from stage to stage by what the
// stages before used more of one resource than of the others, so that one pass both balances the resources and learns the prices, which
// it leaves as its mean (X. Li, C. Sun, Y. Ye, Simple and Fast Algorithm for Binary Integer and Online Linear Programming, NeurIPS 2020).
// A choice that is a little over a limit is repaired stage by stage, at a penalty for what is over. From what the choice costs follows the
// next interval to try; the search ends when the smallest interval that fits and the largest one that did not are near each other.
// Integrality matters less the more stages there are; up to kExactStages of them the search goes on by branch and bound.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "hwmodels/dataflow_stage.h"

namespace lathe::hwmodels {

struct FoldingSolution {
  bool is_feasible = false;
  double initiation_interval = 0;  // cycles
  std::vector<int> chosen;         // an index into the options of each stage; infeasible: those that take the least share of the limits
  ResourceVector used{};           // by the chosen options; infeasible: above at least one limit
};

// Keeps its memory from one problem to the next, and nothing else: the solution depends on the arguments alone. One a thread.
class FoldingSolver {
 public:
  static constexpr int kExactStages = 8;

  // stages: none may be null or empty. least_interval: a bound from elsewhere (input and output). The result holds until the next call.
  const FoldingSolution& solve(std::span<const StageOptions* const> stages, const ResourceVector& limits, double least_interval);

 private:
  using Shares = std::array<float, kFoldingResources>;  // of the limits
  struct Choice {
    Shares shares;
    std::uint32_t option;
  };
  // What the current choice of all stages uses, and costs at the prices of the pass.
  struct Use {
    Shares shares{};
    float cost = 0;
    float largest() const;
  };

  void start();
  void search_by_prices();
  double first_interval();
  void fetch_levels(double interval);
  double next_interval(double interval, double cost, double largest_miss, int misses) const;
  // The first `count` stages of order_.
  Use choose_by_prices(double interval, float sensitivity, std::size_t count);
  void repair(Use& use);
  void accept_choices();

  void search_exactly();
  bool fits_exactly(double interval);
  bool descend(std::size_t stage, const ResourceVector& used);

  void conclude();

  std::span<const StageOptions* const> stages_;
  ResourceVector limits_{};
  Shares share_of_unit_{};  // FrontBlock::kUnits / limits
  double least_interval_ = 0;
  double lowest_ = 0, cap_ = 0;  // no interval below can fit; at the cap every option may be taken
  double upper_ = 0;             // the smallest interval known to fit
  Shares prices_{};
  std::vector<std::uint32_t> order_;  // in which a pass visits the stages
  std::vector<std::uint32_t> level_;  // by stage: that of the interval
  std::vector<Choice> choices_;
  std::vector<std::vector<int>> fronts_;  // of the exact search: options of each stage that matter
  std::vector<ResourceVector> rest_;      // of the exact search: least resources of the stages from i on
  int nodes_ = 0;
  FoldingSolution solution_;
};

}  // namespace lathe::hwmodels
