// Trials that several searches share while they run, each with agents of its own, on machines that may come and go: no candidate is
// measured by two of them, and the agents of each learn from the trials of all.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "search/trial.h"

namespace lathe::search {

// Calls are serialized by the controller of an asynchronous search. Trial ids are unique among all that share.
class SharedTrials {
 public:
  struct Claimed {
    std::int64_t id;
    std::string agent;
    policies::Candidate candidate;
  };

  virtual ~SharedTrials() = default;
  // Takes the candidate for this search. Returns its trial's id, or nothing where another search has it or has measured it.
  virtual std::optional<std::int64_t> claim(const policies::Candidate& candidate, const std::string& agent) = 0;
  // Takes over candidates, at most `most`, that were claimed by a search which has gone.
  virtual std::vector<Claimed> take_over(int most) = 0;
  // What other searches have finished since the last call; at first, all that they ever did. In any order, and a trial may come again.
  virtual std::vector<Trial> news() = 0;
};

}  // namespace lathe::search
