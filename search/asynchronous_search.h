// The controller's asynchronous mode: loops that take a proposal, measure it, record it and take the next.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "search/controller.h"
#include "search/proposer.h"

namespace lathe::search {

class AsynchronousSearch {
 public:
  // slots: trials measured at once. measure: fills in the trial's measured metrics and records it; called from several threads.
  AsynchronousSearch(int trials, int slots, Proposer& proposer, std::function<void(Trial&)> measure,
                     std::function<bool(const std::vector<Trial>&)> progress)
      : trials_(trials), slots_(slots), proposer_(proposer), measure_(std::move(measure)), progress_(std::move(progress)) {}

  // Inside a task arena. known: of an earlier run, already adopted by the proposer.
  SearchResult run(std::vector<Trial> known);

 private:
  void work();
  // The next trial to measure; false where there is none left.
  bool take(Trial& trial);
  // Asks the agents for more, unless somebody else is at it. Called with the lock held; releases it meanwhile.
  void propose(std::unique_lock<std::mutex>& lock);
  bool is_over() const { return is_stopped_ || is_exhausted_ || proposed_ >= trials_; }

  const int trials_, slots_;
  Proposer& proposer_;
  const std::function<void(Trial&)> measure_;
  const std::function<bool(const std::vector<Trial>&)> progress_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Trial> ready_;       // proposed, not begun
  std::vector<Trial> in_flight_;  // being measured
  std::vector<Trial> untold_;     // measured since the agents were told last
  std::vector<Trial> done_;
  int proposed_ = 0;
  bool is_proposing_ = false, is_stopped_ = false, is_exhausted_ = false;
};

}  // namespace lathe::search
