// `lathe status`: the searches of a sweep at a glance.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "experiments/sweep/sweep_directory.h"
#include "experiments/sweep/task_status.h"

namespace lathe::experiments {

struct SweepStatus {
  std::string path;
  std::vector<std::string> labels;  // what each task's axes are, parallel to
  std::vector<TaskStatus> tasks;
  int count(TaskState state) const;
};

SweepStatus sweep_status(const SweepDirectory& sweep);
// A single run directory, as a sweep of one search.
SweepStatus run_status(const std::string& run_directory);

// Seconds until all is done: the mean time of finished searches for those left, the share of missing trials for those begun, divided among
// as many as are at work. Below 0 where nothing is known yet.
double seconds_left(const SweepStatus& status);

// Counts, time left, one line for each search that is running or failed (every search: is_long).
std::string status_text(const SweepStatus& status, bool is_long);
nlohmann::json status_json(const SweepStatus& status);

}  // namespace lathe::experiments
