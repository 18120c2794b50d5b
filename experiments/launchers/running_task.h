// One search of a sweep as a child process: `lathe search tasks/N/config.yaml --out tasks/N/run --resume`, its words in tasks/N/log.txt.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "experiments/sweep/sweep_directory.h"
#include "experiments/sweep/task_lock.h"
#include "experiments/sweep/task_status.h"

namespace lathe::experiments {

class RunningTask {
 public:
  // prefix: before the program ("mpirun -n 4"). threads: of the search. nullopt where another process works on the task. The child is
  // told to stop when this process dies.
  static std::optional<RunningTask> start(const SweepDirectory& sweep, int number, const std::vector<std::string>& prefix, int threads);

  int number() const { return number_; }
  // Asks the search to stop after what it is measuring.
  void stop() const;
  // nullopt while it runs; then how it ended, written to outcome.json as well. A search that was ended by a signal is kStopped until
  // `most_attempts` have ended so.
  std::optional<TaskOutcome> poll(int most_attempts);

 private:
  using Clock = std::chrono::steady_clock;
  RunningTask(const SweepDirectory& sweep, int number, TaskLock lock, pid_t pid);

  const SweepDirectory* sweep_;
  int number_;
  TaskLock lock_;
  pid_t pid_;
  Clock::time_point start_;
};

}  // namespace lathe::experiments
