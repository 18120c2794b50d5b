// How many proposals of a round each agent may make.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "search/pareto_archive.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::search {

enum class Allocation {
  kEqual,   // every agent the same
  kCredit,  // more to agents whose recent trials made the fronts grow
};

// Credit: probability matching (D. Thierens, An Adaptive Pursuit Strategy for Allocating Operator Probabilities, GECCO 2005, section 2) of
// the hypervolume that a trial adds, as a share of what is there. An agent's value v is its mean over recent trials, its share of a round
//   p = e / n + (1 - e) v / (sum of v),   e = 0.3,
// so that nobody is ever without a chance to earn again. All agents begin with the same design, and whoever comes first in the config gets
// its trials: shares stay equal until results of the agents' own proposals are in. Depends on the trials alone, and so on the seed.
class RoundShares {
 public:
  // `problem` must outlive it.
  RoundShares(const Problem& problem, std::vector<std::string> agents, Allocation allocation);

  // In id order.
  void learn(std::span<const Trial> finished);
  // One count for each agent; they add up to `total`. What rounding leaves over is owed to the agent in later rounds.
  std::vector<int> next(int total);

 private:
  struct Account {
    double gain = 0, trials = 0;  // recent ones; older ones fade
    double owed = 0;
  };
  std::vector<int> equal(int total);
  std::vector<int> by_credit(int total);
  double gain_of(const Trial& trial);
  std::vector<double> shares() const;

  const Problem& problem_;
  std::vector<std::string> agents_;
  Allocation allocation_;
  std::int64_t first_credited_;  // id of the first trial that counts
  std::vector<Account> accounts_;
  std::vector<ParetoArchive> archives_;  // of each front
  std::vector<double> hypervolumes_;
  int rounds_ = 0;
};

}  // namespace lathe::search
