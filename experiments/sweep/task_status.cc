#include "experiments/sweep/task_status.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "experiments/run_directory.h"
#include "experiments/run_store.h"
#include "experiments/sweep/task_lock.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::map<std::string, TaskState>& states() {
  static const std::map<std::string, TaskState> states{{"left", TaskState::kLeft},
                                                       {"running", TaskState::kRunning},
                                                       {"stopped", TaskState::kStopped},
                                                       {"done", TaskState::kDone},
                                                       {"failed", TaskState::kFailed}};
  return states;
}

// 0 where nothing is stored yet, or the store is just being made.
std::int64_t stored_trials(const std::string& store) {
  if (!fs::exists(store)) return 0;
  try {
    return RunStore(store, RunStore::Mode::kRead).count();
  } catch (const std::exception&) {
    return 0;
  }
}

}  // namespace

std::string to_string(TaskState state) {
  return std::find_if(states().begin(), states().end(), [&](const auto& entry) { return entry.second == state; })->first;
}

TaskOutcome read_outcome(const std::string& path) {
  std::ifstream file(path);
  if (!file) return {};
  const json document = json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) return {};
  const auto state = states().find(document.value("state", ""));
  return {.state = state == states().end() ? TaskState::kLeft : state->second,
          .message = document.value("message", ""),
          .attempts = document.value("attempts", 0),
          .seconds = document.value("seconds", 0.0)};
}

void write_outcome(const std::string& path, const TaskOutcome& outcome) {
  const json document{
      {"state", to_string(outcome.state)}, {"message", outcome.message}, {"attempts", outcome.attempts}, {"seconds", outcome.seconds}};
  write_atomically(path, document.dump(1) + "\n");
}

TaskStatus task_status(const SweepDirectory& sweep, int number) {
  const TaskOutcome outcome = read_outcome(sweep.outcome(number));
  TaskStatus status{.number = number,
                    .message = outcome.message,
                    .attempts = outcome.attempts,
                    .seconds = outcome.seconds,
                    .trials = stored_trials(sweep.store(number)),
                    .wanted = sweep.wanted_trials(number)};
  if (fs::exists(sweep.results(number))) {
    status.state = TaskState::kDone;
    status.message.clear();
  } else if (const auto holder = TaskLock::holder(sweep.lock(number))) {
    status.state = TaskState::kRunning;
    status.message.clear();
    status.host = holder->host;
    status.seconds += holder->seconds;
  } else if (outcome.state != TaskState::kLeft) {
    status.state = outcome.state;
  } else {
    status.state = fs::exists(sweep.lock(number)) ? TaskState::kStopped : TaskState::kLeft;
  }
  return status;
}

std::vector<TaskStatus> task_statuses(const SweepDirectory& sweep) {
  std::vector<TaskStatus> statuses;
  for (const SweepTask& task : sweep.plan().tasks) statuses.push_back(task_status(sweep, task.number));
  return statuses;
}

}  // namespace lathe::experiments
