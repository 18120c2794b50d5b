#include "experiments/launchers/local_launcher.h"

#include <oneapi/tbb/info.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <fstream>
#include <list>

#include "experiments/interruption.h"
#include "experiments/launchers/running_task.h"
#include "experiments/text_table.h"

namespace lathe::experiments {
namespace {

constexpr auto kPollMicroseconds = 20000;
constexpr auto kPatience = std::chrono::seconds(5);  // for a task that another process has, before it is left to that one

class LocalLauncher {
 public:
  LocalLauncher(const SweepDirectory& sweep, const LocalLaunch& launch, Progress& progress)
      : sweep_(sweep), launch_(launch), progress_(progress), waiting_(launch.tasks.begin(), launch.tasks.end()) {}

  LaunchSummary run() {
    auto last_start = Clock::now();
    while (!waiting_.empty() || !running_.empty()) {
      if (is_interrupted()) stop_all();
      const std::size_t before = running_.size();
      while (!waiting_.empty() && running_.size() < static_cast<std::size_t>(launch_.jobs) && start_next()) {
      }
      if (running_.size() > before || !running_.empty()) last_start = Clock::now();
      if (running_.empty() && !waiting_.empty() && Clock::now() - last_start > kPatience) leave_the_rest();
      collect();
      usleep(kPollMicroseconds);
    }
    return summary_;
  }

 private:
  using Clock = std::chrono::steady_clock;

  // False where the task is another process's; it goes to the end of the queue.
  bool start_next() {
    const int number = waiting_.front();
    waiting_.pop_front();
    std::optional<RunningTask> task = RunningTask::start(sweep_, number, launch_.prefix, launch_.threads);
    if (!task) {
      waiting_.push_back(number);
      return false;
    }
    running_.push_back(std::move(*task));
    return true;
  }

  void collect() {
    for (auto task = running_.begin(); task != running_.end();) {
      const std::optional<TaskOutcome> outcome = task->poll(sweep_.file().attempts);
      if (!outcome) {
        ++task;
        continue;
      }
      note(task->number(), *outcome);
      task = running_.erase(task);
    }
  }

  void note(int number, const TaskOutcome& outcome) {
    const std::string name =
        "search " + task_name(number) + " (" + describe(sweep_.plan(), sweep_.plan().tasks[static_cast<std::size_t>(number)]) + ")";
    if (outcome.state == TaskState::kDone) {
      ++summary_.done;
      progress_.say(name + ": done in " + format_duration(outcome.seconds) + ", " + std::to_string(summary_.done) + " of " +
                    std::to_string(launch_.tasks.size()));
    } else if (outcome.state == TaskState::kFailed) {
      ++summary_.failed;
      progress_.say(name + ": " + outcome.message);
    } else if (is_stopping_) {
      ++summary_.stopped;
    } else {
      progress_.say(name + ": " + outcome.message + "; it is started again");
      waiting_.push_front(number);
    }
  }

  void stop_all() {
    summary_.stopped += static_cast<int>(waiting_.size());
    waiting_.clear();
    if (is_stopping_) return;
    is_stopping_ = true;
    for (const RunningTask& task : running_) task.stop();
  }

  void leave_the_rest() {
    summary_.elsewhere += static_cast<int>(waiting_.size());
    waiting_.clear();
  }

  const SweepDirectory& sweep_;
  const LocalLaunch& launch_;
  Progress& progress_;
  std::deque<int> waiting_;
  std::list<RunningTask> running_;
  LaunchSummary summary_;
  bool is_stopping_ = false;
};

}  // namespace

int processors_here() {
  return oneapi::tbb::info::default_concurrency();
}

double free_memory_mb_here() {
  std::ifstream file("/proc/meminfo");
  std::string name, unit;
  for (double kilobytes = 0; file >> name >> kilobytes; std::getline(file, unit))
    if (name == "MemAvailable:") return kilobytes / 1024;
  return 0;
}

LocalLaunch plan_launch(const LocalOptions& options, std::vector<int> tasks, int processors, double free_memory_mb) {
  const int count = std::max<int>(1, static_cast<int>(tasks.size()));
  LocalLaunch launch{.tasks = std::move(tasks)};
  launch.jobs = options.jobs > 0 ? options.jobs : std::max(1, options.threads > 0 ? processors / options.threads : processors);
  if (options.jobs == 0 && options.memory_mb > 0)
    launch.jobs = std::clamp(static_cast<int>(free_memory_mb / options.memory_mb), 1, launch.jobs);
  launch.jobs = std::min(launch.jobs, count);
  launch.threads = options.threads > 0 ? options.threads : std::max(1, processors / launch.jobs);
  return launch;
}

LaunchSummary launch_locally(const SweepDirectory& sweep, const LocalLaunch& launch, Progress& progress) {
  return LocalLauncher(sweep, launch, progress).run();
}

}  // namespace lathe::experiments
