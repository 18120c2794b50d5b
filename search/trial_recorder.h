// Passes finished trials to whoever stores them.
#pragma once

#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "search/trial.h"

namespace lathe::search {

// One call of `record` at a time and without holding a lock meanwhile: whoever finds nobody at it takes over all that wait. Thread-safe.
class TrialRecorder {
 public:
  // record: may be empty; must outlive the recorder.
  explicit TrialRecorder(const std::function<void(std::span<const Trial>)>& record) : record_(record) {}

  // All in one call of `record`.
  void add(std::span<const Trial> trials);

 private:
  void drain();

  const std::function<void(std::span<const Trial>)>& record_;
  std::mutex mutex_;
  std::vector<Trial> waiting_;
  bool is_busy_ = false;
};

}  // namespace lathe::search
