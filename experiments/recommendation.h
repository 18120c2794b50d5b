// Which policies of a device's Pareto set are worth delivering.
#pragma once

#include <cstdint>
#include <vector>

#include "experiments/experiment.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::experiments {

struct Recommendation {
  int target = 0;
  std::vector<std::int64_t> trials;  // the recommended one first, then its neighbours on the front
  bool meets_loss = true;            // false: no policy loses as little as wanted; the most accurate one stands in
};

// The fastest policy of the target's front whose accuracy on the search split is at most `accuracy_loss` points below the float network's
// (on the same rows); then, up to `count` in all, the policies next to it on the front, slower ones first, since those lose less. Empty
// where the front is.
Recommendation recommend(const search::Problem& problem, const std::vector<search::Trial>& trials, int target, double float_accuracy,
                         double accuracy_loss, int count);

}  // namespace lathe::experiments
