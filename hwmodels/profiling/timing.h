// Times of jobs that run for microseconds to seconds on a machine that other programs disturb.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace lathe::hwmodels {

enum class TimeSource {
  kWall,
  // Processor time of the calling thread: for jobs of one thread on a machine that others keep busy, where a run of more than a few
  // milliseconds is always interrupted. Waiting, copies to other devices and helper threads do not show.
  kCallingThread,
};

struct TimingOptions {
  TimeSource source = TimeSource::kWall;
  double warm_up_s = 0.05;  // a job, before anything counts
  int rounds = 15;          // each job has one burst a round
  double burst_s = 0.03;    // at least one run
  int most_runs = 5000;     // of a job, over all rounds
};

struct Timing {
  double median_ms = 0, p10_ms = 0, p90_ms = 0, p99_ms = 0;
  int runs = 0;
};

// Runs the jobs in turn, a burst each, round after round: what slows the machine down for a while slows all of them alike, and no job has
// all of its runs in one bad stretch.
std::vector<Timing> time_jobs(const std::vector<std::function<void()>>& jobs, const TimingOptions& options = {});

// Of at least one time; the percentiles are order statistics.
Timing summarize_times(std::vector<double> times_ms);

}  // namespace lathe::hwmodels
