// How a search of a sweep stands, read from its files alone: no daemon, and the same from every node that sees the folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/sweep/sweep_directory.h"

namespace lathe::experiments {

// kStopped: begun, neither ended nor at work; it will be taken up again.
enum class TaskState { kLeft, kRunning, kStopped, kDone, kFailed };
std::string to_string(TaskState state);

// How an attempt ended, as outcome.json has it.
struct TaskOutcome {
  TaskState state = TaskState::kLeft;  // kDone, kFailed or kStopped
  std::string message;                 // why not kDone
  int attempts = 0;                    // so far
  double seconds = 0;                  // of all attempts
};
TaskOutcome read_outcome(const std::string& path);  // kLeft where there is no file
void write_outcome(const std::string& path, const TaskOutcome& outcome);

struct TaskStatus {
  int number = 0;
  TaskState state = TaskState::kLeft;
  std::string message;
  std::string host;  // that works on it
  int attempts = 0;
  double seconds = 0;  // spent, the running attempt included
  std::int64_t trials = 0, wanted = 0;
};

TaskStatus task_status(const SweepDirectory& sweep, int number);
std::vector<TaskStatus> task_statuses(const SweepDirectory& sweep);

}  // namespace lathe::experiments
