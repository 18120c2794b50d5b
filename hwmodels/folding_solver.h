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
// next interval to try; the search ends when the smallest interval that fits and the largest one that did not are near each other, and
// goes on from there in the single steps that the stages allow, while the prices do not prove that nothing quicker fits.
// Integrality matters less the more stages there are; up to kMostExactStages of them the search goes on by branch and bound
// (exact_folding.h).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "hwmodels/packed_floats.h"
#include "hwmodels/stage_options.h"

namespace lathe::hwmodels {

struct FoldingSolution {
  bool is_feasible = false;
  double initiation_interval = 0;     // cycles
  std::vector<std::uint16_t> chosen;  // an index into the options of each stage; infeasible: those that take the least share of the limits
  std::vector<bool> uses_dsp;         // by stage
};

// What the chosen options use; infeasible: above at least one limit.
ResourceVector used_resources(std::span<const StageView> stages, const FoldingSolution& solution);

// Keeps its memory from one problem to the next, and nothing else: the solution depends on the arguments alone. One a thread.
class FoldingSolver {
 public:
  // No stage may be without options. least_interval: a bound from elsewhere (input and output). The result holds until the next call.
  const FoldingSolution& solve(std::span<const StageView> stages, const ResourceVector& limits, double least_interval);

 private:
  // Of the limits, by resource; the last one is 0.
  using Shares = FourFloats;
  struct Choice {
    Shares shares{};
    std::uint16_t word = 0;  // see FrontLine::kOptionIndex
    bool is_slowest() const { return (word & FrontLine::kIsSlowest) != 0; }
    std::uint16_t index() const { return word & ~FrontLine::kIsSlowest; }
  };
  // What the current choice of all stages uses, and costs at the prices of the pass.
  struct Use {
    Shares shares{};
    float cost = 0;
    bool fits() const;
  };
  // An interval in the steps of log_cycles.
  using LogInterval = int;

  void start(std::span<const StageView> stages, const ResourceVector& limits, double least_interval);
  void search();
  void polish();
  LogInterval first_interval();
  LogInterval next_interval(LogInterval interval, double cost, int misses) const;
  // Of the first `count` stages.
  void find_levels(LogInterval interval, std::size_t count);
  // The same, at the levels that were found.
  Use choose_by_prices(float sensitivity, std::size_t count);
  void repair(Use& use);
  void accept_choices();
  void take_smallest();
  double slowest_choice() const;

  Choice choice_of(const FrontLine& front, std::uint32_t lane) const;

  std::vector<std::uint32_t> order_;  // in which a pass visits the stages; what is by visit is in that order
  std::vector<StageView> stages_;     // by visit
  Shares share_of_unit_{};            // FrontLine::kUnits / limits
  Shares prices_{};
  LogInterval lowest_ = 0, cap_ = 0;       // no interval below can fit; at the cap every option may be taken
  LogInterval upper_ = 0;                  // the smallest interval known to fit
  LogInterval missed_ = 0;                 // the largest interval known not to
  LogInterval found_ = 0, following_ = 0;  // cycles of the slowest level that was found, and of the next one
  std::vector<std::uint16_t> levels_;      // by visit: log of the cycles of the level that was found
  std::vector<const FrontLine*> fronts_;   // by visit: its options
  std::vector<Choice> choices_;            // by visit
  std::vector<std::uint16_t> accepted_levels_;
  std::vector<const FrontLine*> accepted_fronts_;
  std::vector<Choice> accepted_;  // those at upper_
  FoldingSolution solution_;
};

}  // namespace lathe::hwmodels
