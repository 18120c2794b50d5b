// Successive halving of a round: every policy of it is measured on a few rows, the best share goes on to more of them, and the last ones to
// all. K. Jamieson, A. Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization, AISTATS 2016; with several
// objectives: D. Schmucker, M. Donini, M. B. Zafar, D. Salinas, C. Archambeau, Multi-objective Asynchronous Successive Halving, 2021, who
// rank by non-dominated sorting; here it is by hypervolume gain, which also says what the front already has.
#pragma once

#include <span>
#include <vector>

#include "search/hypervolume.h"
#include "search/problem.h"
#include "search/race_bar.h"
#include "search/trial.h"

namespace lathe::search {

struct Halving {
  int factor = 0;  // eta; 0 = every policy on all rows
  int rungs = 2;

  bool is_on() const { return factor > 1; }
  // Policies of a round for each that is measured on all rows: factor^(rungs - 1).
  int proposals_per_survivor() const;
  // Share of the rows that a policy has been measured on once it leaves the rung: factor^(rung + 1 - rungs).
  double share(int rung) const;
  // Of a round of so many policies, how many get to the rung: factor^-rung of them, rounded up.
  int entrants(int round, int rung) const;
  // Rows that a round of so many policies runs, in measurements on all rows.
  double cost(int round) const;
};

// Who goes on. Copyable: a round keeps what was known when it was proposed, so that its choices do not depend on the clock.
class HalvingSelection {
 public:
  // `problem` must outlive it.
  explicit HalvingSelection(const Problem& problem);

  // The fronts that are known.
  void learn(std::span<const Trial> finished);
  // Positions, ascending, of the at most `count` trials that together gain most hypervolume over the known fronts, chosen one after the
  // other; gains are relative and added over the fronts. Who gains nothing is ranked by how far its value stays below RaceBar's. Failed
  // trials are never chosen.
  std::vector<std::size_t> best(std::span<const Trial* const> trials, int count) const;

 private:
  const Problem& problem_;
  RaceBar bar_;
  std::vector<std::vector<Point>> fronts_;  // [fronts], minimized, non-dominated
};

}  // namespace lathe::search
