// Which policies are worth timing, and what prediction alone would have made of them.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "search/problem.h"
#include "search/trial.h"

namespace lathe::experiments {

// At most `count` trials that were not timed yet: half of the front, evenly spaced along it, and half of the front that is left without
// those on it, since a front of predictions alone could not show what prediction misses. Fewer of one give place to the other.
std::vector<std::int64_t> worth_timing(const search::Problem& problem, const search::Front& front,
                                       const std::vector<search::Trial>& trials, const std::set<std::int64_t>& timed, int count);

struct TimedPolicy {
  std::int64_t trial = 0;
  double accuracy = 0, measured_ms = 0, predicted_ms = 0;
};

// Of the policies that are on the front of accuracy and measured latency, how many are on that of accuracy and predicted latency too.
struct FrontShare {
  int on_measured_front = 0, kept = 0;
  bool operator==(const FrontShare&) const = default;
};
FrontShare kept_by_prediction(std::span<const TimedPolicy> policies);

// Median of |predicted / measured - 1|; at least one policy.
double median_error(std::span<const TimedPolicy> policies);

}  // namespace lathe::experiments
