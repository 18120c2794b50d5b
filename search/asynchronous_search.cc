#include "search/asynchronous_search.h"

#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <algorithm>

namespace lathe::search {
namespace {

void sort_by_id(std::vector<Trial>& trials) {
  std::sort(trials.begin(), trials.end(), [](const Trial& a, const Trial& b) { return a.id < b.id; });
}

}  // namespace

SearchResult AsynchronousSearch::run(std::vector<Trial> known) {
  done_ = std::move(known);
  for (const Trial& trial : done_) ids_.insert(trial.id);
  proposed_ = static_cast<int>(done_.size());
  tbb::task_group group;
  // One loop more than is measured at once: the one that asks the agents for proposals measures nothing meanwhile.
  for (int slot = 0; slot < slots_ + 1; ++slot) group.run([this] { work(); });
  group.wait();
  if (!is_stopped_) hear();
  SearchResult result{.trials = std::move(done_), .is_exhausted = is_exhausted_, .is_stopped = is_stopped_};
  sort_by_id(result.trials);
  return result;
}

void AsynchronousSearch::work() {
  try {
    for (Trial trial; take(trial);) {
      measure_(trial);
      const std::lock_guard lock(mutex_);
      std::erase_if(in_flight_, [&](const Trial& other) { return other.id == trial.id; });
      finish(trial);
      changed_.notify_one();  // a slot is free, whatever this loop does next
      if (progress_ && !progress_(done_)) is_stopped_ = true;
    }
  } catch (...) {
    // The others must not wait for proposals of one who is gone; the exception goes on to the caller of run.
    {
      const std::lock_guard lock(mutex_);
      is_stopped_ = true;
    }
    changed_.notify_all();
    throw;
  }
}

bool AsynchronousSearch::take(Trial& trial) {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (is_stopped_) return false;
    // Asked for while there is still work for the others, so that they do not have to wait for the agents.
    if (!is_proposing_ && !is_over() && ready_.size() < static_cast<std::size_t>(slots_)) {
      propose(lock);
      continue;
    }
    if (!ready_.empty() && static_cast<int>(in_flight_.size()) < slots_) {
      trial = std::move(ready_.front());
      ready_.pop_front();
      in_flight_.push_back(trial);
      return true;
    }
    if (is_over() && !is_proposing_) return false;
    changed_.wait(lock);
  }
}

void AsynchronousSearch::hear() {
  if (shared_ == nullptr) return;
  const std::vector<Trial> news = shared_->news();
  const std::lock_guard lock(mutex_);
  for (const Trial& trial : news) finish(trial);
}

void AsynchronousSearch::finish(const Trial& trial) {
  if (!ids_.insert(trial.id).second) return;
  untold_.push_back(trial);
  done_.push_back(trial);
}

void AsynchronousSearch::propose(std::unique_lock<std::mutex>& lock) {
  is_proposing_ = true;
  lock.unlock();
  hear();
  lock.lock();
  std::vector<Trial> finished = std::move(untold_), pending = in_flight_;
  untold_.clear();
  pending.insert(pending.end(), ready_.begin(), ready_.end());
  sort_by_id(finished);
  const int left = trials_ - proposed_;
  lock.unlock();
  std::vector<Trial> more;
  // Isolated: a thread that waits for the agents' own tasks must not take up another loop meanwhile, which would not end before the search.
  tbb::this_task_arena::isolate([&] { more = proposer_.next_round(finished, pending, left); });
  lock.lock();
  is_proposing_ = false;
  if (more.empty()) is_exhausted_ = true;
  proposed_ += static_cast<int>(more.size());
  for (Trial& trial : more) ready_.push_back(std::move(trial));
  changed_.notify_all();
}

}  // namespace lathe::search
