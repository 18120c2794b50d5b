// Runs agents in parallel on one pool of evaluations and one archive.
//
// Rounds: each agent proposes its share of a round (round_shares.h; knowing what is pending), duplicates and candidates that no device can
// run within the limits are dropped before any accuracy is measured, the rest is measured in parallel on `threads` oneTBB tasks, and every
// agent is told all results in id order. The next round is proposed while this one is measured, so results reach agents one round late,
// whatever the thread count: same seed, same trials.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "search/agent.h"
#include "search/problem.h"
#include "search/round_shares.h"
#include "search/trial.h"

namespace lathe::search {

struct Measurement {
  bool is_ok = true;
  std::string error;
  double value = 0;  // of the measured metric; the first where there are several
  double stddev = 0;
  double seconds = 0;
  std::vector<double> further{};  // of the other measured metrics, in their order
};

struct ControllerOptions {
  int trials = 300;
  int threads = 2;
  int round = 0;  // proposals a round over all agents; 0 = 4 for each agent
  Allocation allocation = Allocation::kCredit;
  std::uint64_t seed = 0;
};

struct ControllerCallbacks {
  // Measures the candidate; called from several threads.
  std::function<Measurement(const policies::Candidate&)> measure;
  // The result of trial `id` if an earlier run knew it (resume); the candidate must be equal, else the run has changed and this throws.
  std::function<std::optional<Trial>(std::int64_t id, const policies::Candidate&)> recall;
  // A trial just became known; serialized, in order of completion. Must store it durably before it returns.
  std::function<void(const Trial&)> record;
  // Round finished: trials so far in id order; for progress. Return false to stop early.
  std::function<bool(const std::vector<Trial>&)> progress;
};

struct SearchResult {
  std::vector<Trial> trials;                  // id order
  std::int64_t duplicates = 0, rejected = 0;  // proposals dropped before measurement
  bool is_exhausted = false;                  // agents ran out of new candidates before `trials`
  bool is_stopped = false;
};

SearchResult run_search(const Problem& problem, const std::vector<AgentOptions>& agents, const ControllerOptions& options,
                        const ControllerCallbacks& callbacks);

}  // namespace lathe::search
