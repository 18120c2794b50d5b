// Runs searches of a sweep as processes of this machine, as many at once as it takes. Also what a task of a Slurm array runs, for its one
// search, and, with `mpirun` before each search, the launcher `mpi`.
#pragma once

#include <string>
#include <vector>

#include "experiments/progress.h"
#include "experiments/sweep/sweep_directory.h"

namespace lathe::experiments {

struct LocalLaunch {
  std::vector<int> tasks;           // numbers
  int jobs = 1, threads = 1;        // searches at once, threads of each
  std::vector<std::string> prefix;  // of each search's command
};

// Jobs and threads for `tasks` searches on this machine: what the options leave open follows from its processors and free memory.
LocalLaunch plan_launch(const LocalOptions& options, std::vector<int> tasks, int processors, double free_memory_mb);
int processors_here();
double free_memory_mb_here();

struct LaunchSummary {
  int done = 0, failed = 0;
  int stopped = 0;    // by a signal to this process: to be taken up again
  int elsewhere = 0;  // another process works on them
};

// A search that a signal ends is started again, file.attempts times in all. On the first SIGINT, SIGTERM or SIGUSR1 (see
// watch_for_interruption) the searches are told to stop, and this returns when they have.
LaunchSummary launch_locally(const SweepDirectory& sweep, const LocalLaunch& launch, Progress& progress);

}  // namespace lathe::experiments
