#include "search/controller.h"

#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <stdexcept>

#include "models/base/check.h"
#include "search/asynchronous_search.h"
#include "search/proposer.h"

namespace lathe::search {
namespace {

// Passes finished trials to the caller's `record`, one call at a time and without holding a lock meanwhile: whoever finds nobody at it
// takes over all that wait.
class Recorder {
 public:
  explicit Recorder(const std::function<void(std::span<const Trial>)>& record) : record_(record) {}

  void add(const Trial& trial) {
    if (!record_) return;
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(trial);
      if (is_busy_) return;
      is_busy_ = true;
    }
    drain();
  }

 private:
  void drain() {
    for (;;) {
      std::vector<Trial> next;
      {
        const std::lock_guard lock(mutex_);
        next.swap(waiting_);
        if (next.empty()) {
          is_busy_ = false;
          return;
        }
      }
      record_(next);  // if it throws, recording stays busy for good: nothing more can be stored and the search ends
    }
  }

  const std::function<void(std::span<const Trial>)>& record_;
  std::mutex mutex_;
  std::vector<Trial> waiting_;
  bool is_busy_ = false;
};

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
  trial.seconds = measurement.seconds;
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

class Controller {
 public:
  Controller(const Problem& problem, const ControllerOptions& options, const ControllerCallbacks& callbacks, Proposer& proposer)
      : problem_(problem), options_(options), callbacks_(callbacks), proposer_(proposer), recorder_(callbacks.record) {}

  SearchResult run() {
    SearchResult result{.trials = callbacks_.history};
    proposer_.adopt(callbacks_.history);
    std::vector<Trial> finished;  // the round before, not yet told
    std::vector<Trial> measuring = proposer_.next_round({}, {}, options_.trials);
    std::int64_t proposed = static_cast<std::int64_t>(measuring.size());
    while (!measuring.empty()) {
      std::vector<Trial> upcoming;
      run_round(measuring, finished, options_.trials - proposed, upcoming);
      proposed += static_cast<std::int64_t>(upcoming.size());
      result.trials.insert(result.trials.end(), measuring.begin(), measuring.end());
      finished = std::move(measuring);
      measuring = std::move(upcoming);
      if (callbacks_.progress && !callbacks_.progress(result.trials)) {
        result.is_stopped = true;
        break;
      }
    }
    result.is_exhausted = !result.is_stopped && proposed < options_.trials;
    result.duplicates = proposer_.duplicates();
    result.rejected = proposer_.rejected();
    return result;
  }

  SearchResult run_asynchronously() {
    std::vector<Trial> known;
    if (callbacks_.known) known = callbacks_.known();
    proposer_.adopt(known);
    const auto measure = [this](Trial& trial) {
      apply(problem_, callbacks_.measure(trial.candidate), trial);
      recorder_.add(trial);
    };
    SearchResult result = AsynchronousSearch(options_.trials, options_.threads, proposer_, callbacks_.shared, measure, callbacks_.progress)
                              .run(std::move(known));
    result.duplicates = proposer_.duplicates();
    result.rejected = proposer_.rejected();
    return result;
  }

 private:
  // Measures a round while the agents, told of the one before, propose the next.
  void run_round(std::vector<Trial>& measuring, const std::vector<Trial>& finished, std::int64_t left, std::vector<Trial>& upcoming) {
    const std::vector<Trial> pending = measuring;
    std::vector<Trial*> unknown;
    for (Trial& trial : measuring) {
      if (!recall(trial)) unknown.push_back(&trial);
    }
    tbb::task_group group;
    if (left > 0) {
      group.run([&] { upcoming = proposer_.next_round(finished, pending, static_cast<int>(left)); });
    }
    for (Trial* trial : unknown) {
      group.run([this, trial] {
        apply(problem_, callbacks_.measure(trial->candidate), *trial);
        recorder_.add(*trial);
      });
    }
    group.wait();  // an exception of a task comes out here, after the running tasks have ended and recorded their trials
  }

  // Takes the trial's result from the stored run, if that has it; it is not recorded again.
  bool recall(Trial& trial) {
    if (!callbacks_.recall) return false;
    std::optional<Trial> recalled = callbacks_.recall(trial.id, trial.candidate);
    if (!recalled) return false;
    check_recalled(problem_, trial, *recalled);
    recalled->agent = trial.agent;
    trial = std::move(*recalled);
    return true;
  }

  const Problem& problem_;
  const ControllerOptions& options_;
  const ControllerCallbacks& callbacks_;
  Proposer& proposer_;
  Recorder recorder_;
};

}  // namespace

SearchResult run_search(const Problem& problem, const std::vector<AgentOptions>& agents, const ControllerOptions& options,
                        const ControllerCallbacks& callbacks) {
  LATHE_CHECK(callbacks.measure != nullptr) << "a search needs something that measures";
  LATHE_CHECK_GE(options.threads, 1);
  LATHE_CHECK(callbacks.shared == nullptr || options.is_asynchronous) << "what other searches measure comes when it comes";
  Proposer proposer(problem, agents, options.round, options.allocation, options.seed, callbacks.shared);
  Controller controller(problem, options, callbacks, proposer);
  tbb::task_arena arena(options.threads);
  return arena.execute([&] { return options.is_asynchronous ? controller.run_asynchronously() : controller.run(); });
}

}  // namespace lathe::search
