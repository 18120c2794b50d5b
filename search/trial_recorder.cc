#include "search/trial_recorder.h"

namespace lathe::search {

void TrialRecorder::add(std::span<const Trial> trials) {
  if (!record_ || trials.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    waiting_.insert(waiting_.end(), trials.begin(), trials.end());
    if (is_busy_) return;
    is_busy_ = true;
  }
  drain();
}

void TrialRecorder::drain() {
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

}  // namespace lathe::search
