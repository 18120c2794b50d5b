#include "search/controller.h"

#include <tbb/global_control.h>
#include <tbb/info.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <deque>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "models/base/check.h"
#include "search/asynchronous_search.h"
#include "search/proposer.h"
#include "search/race_bar.h"
#include "search/trial_recorder.h"

namespace lathe::search {
namespace {

constexpr double kNoBar = -std::numeric_limits<double>::infinity();

bool nearly_equal(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || a == b || std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b));
}

// A recalled trial must be the proposed one: else the stored run was made with another config, network or version.
void check_recalled(const Problem& problem, const Proposal& proposal, const Trial& recalled) {
  const std::string where = "cannot resume: trial " + std::to_string(proposal.id) + " of the stored run ";
  const std::string advice = "; the config, the data or the program has changed since - start a new run instead";
  if (recalled.id != proposal.id || recalled.candidate != proposal.candidate || recalled.metrics.size() != proposal.metrics.size()) {
    throw std::runtime_error(where + "is another policy than the one that this search proposes" + advice);
  }
  for (std::size_t m = 0; m < problem.metrics.size(); ++m) {
    if (!problem.metrics[m].is_measured && !nearly_equal(recalled.metrics[m], proposal.metrics[m])) {
      throw std::runtime_error(where + "has another " + problem.metrics[m].name + " than is predicted now" + advice);
    }
  }
}

// Fills in what a measurement says. A value that is not a number is a failure: it must not reach an agent.
void apply(const Problem& problem, const Measurement& measurement, Trial& trial) {
  trial.seconds += measurement.seconds;  // of all its parts
  const bool is_finite = std::isfinite(measurement.value) &&
                         std::all_of(measurement.further.begin(), measurement.further.end(), [](double v) { return std::isfinite(v); });
  if (!measurement.is_ok || !is_finite) {
    trial.state = TrialState::kFailed;
    trial.error = measurement.is_ok ? "the measured value is not a finite number" : measurement.error;
    return;
  }
  trial.stddev = std::isfinite(measurement.stddev) ? std::max(measurement.stddev, 0.0) : 0.0;
  std::size_t measured = 0;
  for (std::size_t m = 0; m < problem.metrics.size(); ++m) {
    if (!problem.metrics[m].is_measured) continue;
    trial.metrics[m] = measured == 0 ? measurement.value : measurement.further.at(measured - 1);
    ++measured;
  }
}

// Fills in what is measured of a trial, from the stored run or by measuring, and keeps count of the time that takes.
class TrialMeasurer {
 public:
  TrialMeasurer(const Problem& problem, const ControllerCallbacks& callbacks)
      : problem_(problem), callbacks_(callbacks), recorder_(callbacks.record) {}

  // Takes the trial's result from the stored run, if that has it; it is not recorded again.
  bool recall(Trial& trial) const {
    if (!callbacks_.recall) return false;
    std::optional<Trial> recalled = callbacks_.recall(trial.id, trial.candidate);
    if (!recalled) return false;
    check_recalled(problem_, trial, *recalled);
    recalled->agent = trial.agent;
    trial = std::move(*recalled);
    return true;
  }

  // bar: what the measured metric has to reach; kNoBar = no race.
  void measure(Trial& trial, double bar) {
    timed([&] { return bar != kNoBar ? callbacks_.race(trial.candidate, bar) : callbacks_.measure(trial.candidate); }, trial);
    record({&trial, 1});
  }

  // Not recorded: nobody knows yet whether it goes on.
  void measure_part(Trial& trial, const Part& part) {
    timed([&] { return callbacks_.measure_part(trial.candidate, part); }, trial);
  }

  void record(std::span<const Trial> trials) { recorder_.add(trials); }

  double busy_seconds() const { return 1e-9 * static_cast<double>(busy_nanoseconds_.load()); }

 private:
  template <typename Measure>
  void timed(const Measure& measure, Trial& trial) {
    const auto start = std::chrono::steady_clock::now();
    apply(problem_, measure(), trial);
    busy_nanoseconds_ += (std::chrono::steady_clock::now() - start).count();
  }

  const Problem& problem_;
  const ControllerCallbacks& callbacks_;
  TrialRecorder recorder_;
  std::atomic<std::int64_t> busy_nanoseconds_ = 0;
};

// Rounds in a pipeline: one is proposed as soon as all but the last one before it are measured, and measured as soon as it is proposed and
// a thread is free, without waiting for the stragglers of the last. What agents know when they propose is the same on any number of
// threads.
class RoundSearch {
 public:
  RoundSearch(const Problem& problem, const ControllerOptions& options, const ControllerCallbacks& callbacks, Proposer& proposer,
              TrialMeasurer& measurer)
      : options_(options), callbacks_(callbacks), proposer_(proposer), measurer_(measurer) {
    while (measured_metric_ + 1 < static_cast<int>(problem.metrics.size()) &&
           !problem.metrics[static_cast<std::size_t>(measured_metric_)].is_measured)
      ++measured_metric_;
    if (callbacks.race) race_bar_.emplace(problem);
    if (options.halving.is_on()) selection_.emplace(problem);
  }

  SearchResult run() {
    trials_ = callbacks_.history;
    proposer_.adopt(trials_);
    learn(trials_);
    start_round(proposer_.next_round({}, {}, options_.trials));
    group_.wait();  // an exception of a task comes out here, after the running tasks have ended and recorded their trials
    while (!is_stopped_ && reported_ < rounds_.size()) report();
    return {.trials = std::move(trials_), .is_exhausted = !is_stopped_ && proposed_ < options_.trials, .is_stopped = is_stopped_};
  }

 private:
  struct Round {
    std::vector<Trial> trials;
    std::size_t unfinished = 0;
    // Where rounds are halved:
    int rung = 0;
    std::vector<Trial*> entrants;                 // of the rung, but for those that were recalled
    std::optional<HalvingSelection> selection{};  // with what was known when the round was proposed
  };

  struct Waiting {
    std::size_t round;
    Trial* trial;
    double bar;
    std::optional<Part> part;
  };

  void learn(std::span<const Trial> finished) {
    if (race_bar_) race_bar_->learn(finished);
    if (selection_) selection_->learn(finished);
  }

  // Who leaves a round at a rung is stored before anybody goes on, so the number of stored trials says how far the round had got.
  int rung_of(std::size_t round, std::size_t recalled) const {
    int rung = 0;
    const auto size = static_cast<int>(round);
    while (rung + 1 < options_.halving.rungs && static_cast<int>(recalled) >= size - options_.halving.entrants(size, rung + 1) &&
           recalled > 0)
      ++rung;
    return rung;
  }

  // By one thread at a time, as propose().
  void start_round(std::vector<Trial> proposals) {
    if (proposals.empty()) return;
    proposed_ += static_cast<std::int64_t>(proposals.size());
    pending_ = proposals;
    std::vector<Trial*> unknown;
    for (Trial& trial : proposals) {
      if (!measurer_.recall(trial)) unknown.push_back(&trial);  // trials stay where they are when the vector moves
    }
    const std::lock_guard lock(mutex_);
    const int rung = selection_ ? rung_of(proposals.size(), proposals.size() - unknown.size()) : 0;
    for (Trial* trial : unknown) {
      const std::optional<Part> part = selection_ ? std::optional<Part>{{.to = options_.halving.share(rung)}} : std::nullopt;
      waiting_.push_back({rounds_.size(), trial, race_bar_ ? race_bar_->of(trial->metrics) : kNoBar, part});
    }
    const std::size_t unfinished = unknown.size();
    rounds_.push_back({std::move(proposals), unfinished, rung, std::move(unknown), selection_});
    set_to_work();
    ask_where_due();
  }

  // Called with the lock held.
  void set_to_work() {
    const int more = std::min(options_.threads - measuring_, static_cast<int>(waiting_.size()));
    for (int i = 0; i < more; ++i) group_.run([this] { measure(); });
    measuring_ += more;
  }

  // One evaluator: the oldest trial that waits, one after the other, so that rounds end in order.
  void measure() {
    std::unique_lock lock(mutex_);
    while (!is_stopped_ && !waiting_.empty()) {
      const Waiting next = waiting_.front();
      waiting_.pop_front();
      const bool is_last_part = !next.part || rounds_[next.round].rung + 1 == options_.halving.rungs;
      lock.unlock();
      try {
        if (next.part)
          measurer_.measure_part(*next.trial, *next.part);
        else
          measurer_.measure(*next.trial, next.bar);
        if (next.part && is_last_part) measurer_.record({next.trial, 1});
        lock.lock();
        --rounds_[next.round].unfinished;
        if (!is_last_part && rounds_[next.round].unfinished == 0) halve(next.round, lock);
      } catch (...) {
        is_stopped_ = true;  // the exception ends the search; nothing more is to be measured meanwhile
        throw;
      }
      ask_where_due();
    }
    --measuring_;
  }

  // All on the rung are measured: stores who stays behind, and lets the others go on. Called with the lock held; releases it meanwhile.
  void halve(std::size_t index, std::unique_lock<std::mutex>& lock) {
    Round& round = rounds_[index];
    const Halving& halving = options_.halving;
    std::vector<Trial*> going;
    const int count = halving.entrants(static_cast<int>(round.trials.size()), round.rung + 1);
    for (const std::size_t i : round.selection->best({round.entrants.begin(), round.entrants.end()}, count))
      going.push_back(round.entrants[i]);
    std::vector<Trial> stopped;
    for (Trial* trial : round.entrants) {
      if (std::find(going.begin(), going.end(), trial) != going.end()) continue;
      if (trial->state == TrialState::kComplete) trial->state = TrialState::kStopped;
      stopped.push_back(*trial);
    }
    round.unfinished = going.size();
    ++round.rung;
    round.entrants = going;
    lock.unlock();
    measurer_.record(stopped);
    lock.lock();
    for (Trial* trial : going) {
      const Part part{halving.share(round.rung - 1), halving.share(round.rung), trial->metrics[static_cast<std::size_t>(measured_metric_)]};
      waiting_.push_back({index, trial, kNoBar, part});
    }
    set_to_work();
  }

  // Called with the lock held.
  void ask_where_due() {
    while (finished_ < rounds_.size() && rounds_[finished_].unfinished == 0) ++finished_;
    const bool is_known_enough = finished_ + 1 >= rounds_.size();  // all rounds but the last
    if (is_stopped_ || is_proposing_ || !is_known_enough || asked_ >= rounds_.size() || proposed_ >= options_.trials) return;
    is_proposing_ = true;
    group_.run([this] { propose(); });
  }

  void propose() {
    std::vector<Trial> finished;
    if (asked_ > 0) {
      finished = rounds_[asked_ - 1].trials;
      learn(finished);
      report();
    }
    ++asked_;
    if (is_stopped_) return;
    std::vector<Trial> proposals;
    const auto left = static_cast<int>(options_.trials - proposed_);
    // Isolated: while it waits for the agents' own tasks this thread must not take up a measurement, for which all others would wait.
    tbb::this_task_arena::isolate([&] { proposals = proposer_.next_round(finished, pending_, left); });
    is_proposing_ = false;
    start_round(std::move(proposals));
  }

  // The next finished round is known to the caller, who may stop the search.
  void report() {
    const std::vector<Trial>& round = rounds_[reported_++].trials;
    trials_.insert(trials_.end(), round.begin(), round.end());
    if (callbacks_.progress && !callbacks_.progress(trials_)) is_stopped_ = true;
  }

  const ControllerOptions& options_;
  const ControllerCallbacks& callbacks_;
  Proposer& proposer_;
  TrialMeasurer& measurer_;
  std::atomic<bool> is_proposing_ = false, is_stopped_ = false;
  // Of whoever proposes:
  std::optional<RaceBar> race_bar_;            // where policies race
  std::optional<HalvingSelection> selection_;  // where rounds are halved
  int measured_metric_ = 0;                    // the first
  std::vector<Trial> pending_;                 // the last round as it was proposed
  std::atomic<std::size_t> asked_ = 0;         // times that agents were asked after the first round
  std::atomic<std::int64_t> proposed_ = 0;     // trials
  std::size_t reported_ = 0;                   // rounds
  std::vector<Trial> trials_;                  // the history and the rounds that were reported
  // Of all, under the lock (rounds grow by whoever proposes, who may read without it those that have ended):
  std::mutex mutex_;
  std::deque<Round> rounds_;
  std::deque<Waiting> waiting_;
  std::size_t finished_ = 0;  // rounds, in order
  int measuring_ = 0;         // evaluators that run
  tbb::task_group group_;     // last: its tasks use all of the above
};

SearchResult run_asynchronously(const ControllerOptions& options, const ControllerCallbacks& callbacks, Proposer& proposer,
                                TrialMeasurer& measurer) {
  std::vector<Trial> known;
  if (callbacks.known) known = callbacks.known();
  proposer.adopt(known);
  const auto measure = [&](Trial& trial) { measurer.measure(trial, kNoBar); };
  return AsynchronousSearch(options.trials, options.threads, proposer, callbacks.shared, measure, callbacks.progress).run(std::move(known));
}

}  // namespace

SearchResult run_search(const Problem& problem, const std::vector<AgentOptions>& agents, const ControllerOptions& options,
                        const ControllerCallbacks& callbacks) {
  LATHE_CHECK(callbacks.measure != nullptr) << "a search needs something that measures";
  LATHE_CHECK_GE(options.threads, 1);
  LATHE_CHECK(callbacks.shared == nullptr || options.is_asynchronous) << "what other searches measure comes when it comes";
  int round = options.round;
  if (options.halving.is_on()) {
    LATHE_CHECK(callbacks.measure_part != nullptr && !options.is_asynchronous) << "halving needs rounds, and something that measures parts";
    if (round == 0) round = Proposer::kPerAgent * static_cast<int>(agents.size());
    round = static_cast<int>(
        std::min<std::int64_t>(std::int64_t{round} * options.halving.proposals_per_survivor(), std::max(options.trials, round)));
  }
  Proposer proposer(problem, agents, round, options.allocation, options.seed, callbacks.shared);
  TrialMeasurer measurer(problem, callbacks);
  // Agents think on a thread of their own, so that no evaluator waits for them.
  const int threads = options.threads + 1;
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(std::max(threads, tbb::info::default_concurrency())));
  tbb::task_arena arena(threads);
  const auto start = std::chrono::steady_clock::now();
  SearchResult result = arena.execute([&] {
    return options.is_asynchronous ? run_asynchronously(options, callbacks, proposer, measurer)
                                   : RoundSearch(problem, options, callbacks, proposer, measurer).run();
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  result.idle_share = 1 - measurer.busy_seconds() / (seconds * options.threads);
  result.duplicates = proposer.duplicates();
  result.rejected = proposer.rejected();
  result.learned = proposer.learned();
  return result;
}

}  // namespace lathe::search
