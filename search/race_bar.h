// What the measured metric of a candidate has to reach for its measurement to matter, so that a race may end early (O. Maron, A. Moore,
// Hoeffding Races, NIPS 1994): below it another candidate, that is known, is at least as good in everything.
#pragma once

#include <span>
#include <vector>

#include "search/hypervolume.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::search {

class RaceBar {
 public:
  // `problem` must outlive it.
  explicit RaceBar(const Problem& problem);

  void learn(std::span<const Trial> finished);
  // exact: the candidate's metrics, NaN for the measured one. The least over the fronts that the candidate can enter of: the best value among
  // those that are known and no worse in all exact metrics, the reference point. -inf where there is more than one measured metric, or it
  // is not to be maximized: nothing ends early then.
  double of(const std::vector<double>& exact) const;

 private:
  struct Known {
    Point exact;  // minimized
    double value;
  };
  Point exact_point(const Front& front, const std::vector<double>& metrics) const;
  const Problem& problem_;
  int measured_ = -1;                      // index of the one measured metric; -1 = no races
  std::vector<std::vector<Known>> known_;  // by front; none is worse than another in everything
};

}  // namespace lathe::search
