// A candidate with what is known of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policies/search_space.h"

namespace lathe::search {

enum class TrialState {
  kComplete,
  kFailed,
  kStopped,  // measured on a part of the rows and given up (halving.h): a value to learn from, never on a front
};

struct Trial {
  std::int64_t id = 0;  // from 0, in proposal order
  std::string agent;    // which agent proposed it
  policies::Candidate candidate;
  TrialState state = TrialState::kComplete;
  std::string error;            // why it failed
  std::vector<double> metrics;  // one for each Problem::metrics; NaN for measured ones of a failed trial
  double stddev = 0;            // standard error of the measured metric (the first of several; the others count as exact)
  double seconds = 0;           // wall clock of the measurement; never steers a search
  bool operator==(const Trial&) const = default;
};

}  // namespace lathe::search
