// The folder of a sweep:
//
//   sweep.json              what is swept, and the launchers' settings; written last, so that a folder with it is whole
//   tasks/0007/config.yaml  resolved config of search 7
//   tasks/0007/run/         its run directory, as of `lathe search`
//   tasks/0007/log.txt      what it said, attempt after attempt
//   tasks/0007/task.lock    held (flock) by whoever works on it; its time tells other nodes that he is alive
//   tasks/0007/outcome.json how the last attempt ended
//   cache/                  accuracies that the searches share
//   slurm/                  scripts of the job array
#pragma once

#include <string>
#include <vector>

#include "experiments/sweep/sweep_file.h"
#include "experiments/sweep/sweep_plan.h"

namespace lathe::experiments {

class SweepDirectory {
 public:
  // Makes the folder file.output with a resolved config for each task. is_resumed: takes what is there, and makes it where nothing is.
  // Throws UserError where a combination is no right config, the folder holds another sweep, or holds this one and is not to be resumed.
  SweepDirectory(const SweepFile& file, bool is_resumed);
  // An existing one. Throws UserError where `path` is none.
  explicit SweepDirectory(const std::string& path);
  static bool is_one(const std::string& path);

  const std::string& path() const { return path_; }
  const SweepFile& file() const { return file_; }
  const SweepPlan& plan() const { return plan_; }
  // Trials that task `number` is to have.
  int wanted_trials(int number) const { return wanted_trials_[static_cast<std::size_t>(number)]; }

  std::string task(int number) const;  // its folder
  std::string config(int number) const { return task(number) + "/config.yaml"; }
  std::string run(int number) const { return task(number) + "/run"; }
  std::string results(int number) const { return run(number) + "/pareto.json"; }
  std::string store(int number) const { return run(number) + "/run.db"; }
  std::string log(int number) const { return task(number) + "/log.txt"; }
  std::string lock(int number) const { return task(number) + "/task.lock"; }
  std::string outcome(int number) const { return task(number) + "/outcome.json"; }

 private:
  void write_tasks();
  void write_index() const;

  std::string path_;
  SweepFile file_;
  SweepPlan plan_;
  std::vector<int> wanted_trials_;
};

// "0007"
std::string task_name(int number);

}  // namespace lathe::experiments
