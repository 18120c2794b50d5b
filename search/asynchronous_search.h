// The controller's asynchronous mode: loops that take a proposal, measure it, record it and take the next.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <vector>

#include "search/controller.h"
#include "search/proposer.h"

namespace lathe::search {

class AsynchronousSearch {
 public:
  // slots: trials measured at once. measure: fills in the trial's measured metrics and records it; called from several threads.
  // shared: null where there are no other searches; else the one that the proposer claims from.
  AsynchronousSearch(int trials, int slots, Proposer& proposer, SharedTrials* shared, std::function<void(Trial&)> measure,
                     std::function<bool(const std::vector<Trial>&)> progress)
      : trials_(trials),
        slots_(slots),
        proposer_(proposer),
        shared_(shared),
        measure_(std::move(measure)),
        progress_(std::move(progress)) {}

  // Inside a task arena. known: of an earlier run of this search, already adopted by the proposer.
  SearchResult run(std::vector<Trial> known);

 private:
  void work();
  // The next trial to measure; false where there is none left.
  bool take(Trial& trial);
  // Asks the agents for more, unless somebody else is at it. Called with the lock held; releases it meanwhile.
  void propose(std::unique_lock<std::mutex>& lock);
  // Takes in what other searches have finished. Called without the lock, by one thread at a time.
  void hear();
  // Notes a finished trial, unless it is known: another search may have finished what was this one's. Called with the lock held.
  void finish(const Trial& trial);
  bool is_over() const { return is_stopped_ || is_exhausted_ || proposed_ >= trials_; }

  const int trials_, slots_;
  Proposer& proposer_;
  SharedTrials* const shared_;
  const std::function<void(Trial&)> measure_;
  const std::function<bool(const std::vector<Trial>&)> progress_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Trial> ready_;       // proposed, not begun
  std::vector<Trial> in_flight_;  // being measured
  std::vector<Trial> untold_;     // finished since the agents were told last
  std::vector<Trial> done_;
  std::set<std::int64_t> ids_;  // of done_
  int proposed_ = 0;
  bool is_proposing_ = false, is_stopped_ = false, is_exhausted_ = false;
};

}  // namespace lathe::search
