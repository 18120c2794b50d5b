// Runs agents in parallel on one pool of evaluations and one archive.
//
// Rounds: each agent proposes its share of a round (round_shares.h; knowing what is pending), duplicates and candidates that no device can
// run within the limits are dropped before any accuracy is measured, the rest is measured in parallel by `threads` oneTBB tasks, and every
// agent is told all results in id order. The next round is proposed while this one is measured, so results reach agents one round late,
// whatever the thread count: same seed, same trials. Measuring of the next round begins as soon as threads are free, while the last trials
// of this one still run. Agents think on a thread beside these.
//
// Asynchronously: no rounds. Whoever has measured a trial takes the next proposal at once, and agents are told of whatever has come in
// since they were asked last, from this search or from others that share their trials. Nobody waits for the slowest of a round, and the
// trials depend on how long each measurement took.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "search/agent.h"
#include "search/halving.h"
#include "search/problem.h"
#include "search/round_shares.h"
#include "search/shared_trials.h"
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

// Which rows of a measurement, as shares of all: [from, to), after `value` was measured on those before.
struct Part {
  double from = 0, to = 1;
  double value = 0;
};

struct ControllerOptions {
  int trials = 300;  // beside those of ControllerCallbacks::history
  int threads = 2;
  int round = 0;  // proposals a round over all agents; 0 = 4 for each agent
  Allocation allocation = Allocation::kCredit;
  std::uint64_t seed = 0;
  bool is_asynchronous = false;
  Halving halving{};  // with ControllerCallbacks::measure_part; rounds grow by its proposals_per_survivor()
};

struct ControllerCallbacks {
  // Measures the candidate; called from several threads.
  std::function<Measurement(const policies::Candidate&)> measure;
  // In place of `measure`, where it is set and the search has rounds: may end as soon as it is sure that the value stays below `bar`
  // (race_bar.h), with what it has measured until then and the standard error of that.
  std::function<Measurement(const policies::Candidate&, double bar)> race;
  // In place of `measure`, where options.halving is on; one measured metric. Runs the rows of the part, and gives value and standard error
  // on all rows before its end.
  std::function<Measurement(const policies::Candidate&, const Part&)> measure_part{};
  // The result of trial `id` if an earlier run knew it (resume); the candidate must be equal, else the run has changed and this throws.
  std::function<std::optional<Trial>(std::int64_t id, const policies::Candidate&)> recall;
  // Trials just became known; serialized, in order of completion. Must store them durably before it returns. Several at once where they
  // came in while the last ones were stored: a flush of the disk takes milliseconds, which at hundreds of trials a second nobody has for
  // each.
  std::function<void(std::span<const Trial>)> record;
  // What an earlier run of an asynchronous search stored, in id order: it goes on from there. May be empty, also the function.
  std::function<std::vector<Trial>()> known;
  // Trials of before that hold for this problem too, in id order from 0, as those of another device are: agents are told of them first,
  // they are among the result's trials, and do not count as the search's own. Not together with `known` or `shared`.
  std::vector<Trial> history{};
  // Where the trials are shared with other searches; asynchronous searches only, may be null. Ids are then its own.
  SharedTrials* shared = nullptr;
  // Round finished: trials so far in id order; for progress. Return false to stop early.
  std::function<bool(const std::vector<Trial>&)> progress;
};

struct SearchResult {
  std::vector<Trial> trials;                  // id order; those of other searches with which this one shares are among them
  std::int64_t duplicates = 0, rejected = 0;  // proposals dropped before measurement
  bool is_exhausted = false;                  // agents ran out of new candidates before `trials`
  bool is_stopped = false;
  double idle_share =
      0;  // of the time that `threads` evaluators had, what they did not measure in; says nothing where trials were recalled
  std::map<std::string, std::string> learned{};  // Agent::learned of the agents that have something to say, by name
};

SearchResult run_search(const Problem& problem, const std::vector<AgentOptions>& agents, const ControllerOptions& options,
                        const ControllerCallbacks& callbacks);

}  // namespace lathe::search
