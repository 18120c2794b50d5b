// A trial's columns as databases keep them: texts, arrays as JSON whose numbers read back to the same bits.
#pragma once

#include <cstdint>
#include <string>

#include "search/trial.h"

namespace lathe::experiments {

struct TrialText {
  std::string agent;
  std::string choices;  // [0, 2, 1]
  std::string state;    // "complete", "failed", "stopped"
  std::string error;
  std::string metrics;  // [0.91, 3.2]; NaN as null, infinity as "inf"
};

const char* text_of(search::TrialState state);
TrialText text_of(const search::Trial& trial);
// stddev and seconds are numbers of their own in a row.
search::Trial trial_of(std::int64_t id, const TrialText& text, double stddev, double seconds);

}  // namespace lathe::experiments
