#include "experiments/sweep/sweep_status.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "experiments/run_store.h"
#include "experiments/sweep/task_lock.h"
#include "experiments/text_table.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr TaskState kStates[] = {TaskState::kDone, TaskState::kRunning, TaskState::kFailed, TaskState::kStopped, TaskState::kLeft};

double share_missing(const TaskStatus& task) {
  return task.wanted > 0 ? std::max(0.0, 1.0 - static_cast<double>(task.trials) / static_cast<double>(task.wanted)) : 1.0;
}

// Seconds of a whole search: of the finished ones, or else what those at work promise. Below 0 where nothing is known.
double seconds_each(const std::vector<TaskStatus>& tasks) {
  double seconds = 0, whole = 0, promised = 0, shares = 0;
  for (const TaskStatus& task : tasks) {
    if (task.state == TaskState::kDone) {
      seconds += task.seconds;
      ++whole;
    } else {
      promised += task.seconds;
      shares += 1 - share_missing(task);
    }
  }
  if (whole > 0) return seconds / whole;
  return shares > 0 ? promised / shares : -1;
}

// "search.trials: 40" of a store's settings.
std::int64_t wanted_trials(const RunStore& store) {
  const std::string key = "search.trials: ";
  for (const std::string& line : store.settings())
    if (line.starts_with(key)) return std::stoll(line.substr(key.size()));
  return 0;
}

}  // namespace

int SweepStatus::count(TaskState state) const {
  return static_cast<int>(std::count_if(tasks.begin(), tasks.end(), [&](const TaskStatus& task) { return task.state == state; }));
}

SweepStatus sweep_status(const SweepDirectory& sweep) {
  SweepStatus status{.path = sweep.path(), .tasks = task_statuses(sweep)};
  for (const SweepTask& task : sweep.plan().tasks) status.labels.push_back(describe(sweep.plan(), task));
  return status;
}

SweepStatus run_status(const std::string& run_directory) {
  const std::string path = run_directory + "/run.db";
  if (!fs::exists(path))
    throw UserError(Fault{.file = run_directory, .expected = "expected the folder of a sweep (sweep.json) or of a run (run.db)"});
  const RunStore store(path, RunStore::Mode::kRead);
  TaskStatus task{.trials = store.count(), .wanted = wanted_trials(store)};
  task.state = TaskState::kStopped;
  if (const auto holder = TaskLock::holder(path + ".lock")) {
    task.state = TaskState::kRunning;
    task.host = holder->host;
  }
  if (fs::exists(run_directory + "/pareto.json")) task.state = TaskState::kDone;
  return {.path = run_directory, .labels = {run_directory}, .tasks = {task}};
}

double seconds_left(const SweepStatus& status) {
  const double each = seconds_each(status.tasks);
  double work = 0;
  for (const TaskStatus& task : status.tasks)
    if (task.state != TaskState::kDone && task.state != TaskState::kFailed) work += share_missing(task);
  if (work == 0) return 0;
  return each < 0 ? -1 : each * work / std::max(1, status.count(TaskState::kRunning));
}

std::string status_text(const SweepStatus& status, bool is_long) {
  std::string text = status.path + ": " + std::to_string(status.tasks.size()) + (status.tasks.size() == 1 ? " search" : " searches");
  for (const TaskState state : kStates) text += ", " + std::to_string(status.count(state)) + " " + to_string(state);
  const double left = seconds_left(status);
  if (left != 0) text += left < 0 ? "; time left not known yet" : "; about " + format_duration(left) + " left";
  TextTable table({{"search"}, {"state"}, {"trials", TextTable::Align::kRight}, {"time", TextTable::Align::kRight}, {"what"}});
  bool has_rows = false;
  for (std::size_t i = 0; i < status.tasks.size(); ++i) {
    const TaskStatus& task = status.tasks[i];
    if (!is_long && (task.state == TaskState::kDone || task.state == TaskState::kLeft)) continue;
    has_rows = true;
    std::string what = status.labels[i];
    if (!task.message.empty()) what += ": " + task.message;
    if (!task.host.empty()) what += " on " + task.host;
    table.add_row({task_name(task.number), to_string(task.state), std::to_string(task.trials) + "/" + std::to_string(task.wanted),
                   task.seconds > 0 ? format_duration(task.seconds) : "-", what});
  }
  return text + "\n" + (has_rows ? table.to_string() : "");
}

json status_json(const SweepStatus& status) {
  json counts = json::object(), searches = json::array();
  for (const TaskState state : kStates) counts[to_string(state)] = status.count(state);
  for (std::size_t i = 0; i < status.tasks.size(); ++i) {
    const TaskStatus& task = status.tasks[i];
    json entry{{"number", task.number}, {"label", status.labels[i]}, {"state", to_string(task.state)}, {"trials", task.trials},
               {"wanted", task.wanted}, {"seconds", task.seconds},   {"attempts", task.attempts}};
    if (!task.message.empty()) entry["message"] = task.message;
    if (!task.host.empty()) entry["host"] = task.host;
    searches.push_back(std::move(entry));
  }
  const double left = seconds_left(status);
  return {{"path", status.path}, {"counts", counts}, {"seconds_left", left < 0 ? json() : json(left)}, {"searches", searches}};
}

}  // namespace lathe::experiments
