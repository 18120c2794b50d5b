// What is known of a candidate before any measurement: its exact metrics and whether they keep the limits. Everything here costs
// microseconds, so agents and the controller may ask as often as they like.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "models/base/rng.h"
#include "search/problem.h"

namespace lathe::search {

// Whether a value keeps the metric's limit; true where there is none, false for NaN.
bool meets_limit(const Metric& metric, double value);

struct ExactScore {
  bool can_run = false;         // some device can run it
  std::vector<double> metrics;  // one for each Problem::metrics; NaN for measured ones
};
ExactScore score_exactly(const Problem& problem, const policies::Candidate& candidate);

// How far the exact metrics of a front are beyond their limits: the sum of (excess / max(|limit|, 1e-12)), 0 if all are kept, infinite
// if the candidate cannot run or one of them is not finite (the front's device cannot run it).
double violation(const Problem& problem, const Front& front, const ExactScore& score);
// Over all fronts the least violation: 0 means that a measurement may be of use to some front.
double least_violation(const Problem& problem, const ExactScore& score);

// Compresses a candidate, one step of one random decision after another, just until `front` (all fronts if null) allows it. Nothing if
// even the fully compressed one is not allowed. Found by bisection over the number of steps, so "just" holds where the metrics fall
// with compression, which they nearly do.
std::optional<policies::Candidate> repaired(const Problem& problem, const Front* front, const policies::Candidate& candidate, Rng& rng);

}  // namespace lathe::search
