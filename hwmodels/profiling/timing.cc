#include "hwmodels/profiling/timing.h"

#include <algorithm>
#include <ctime>

#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

double now_s(TimeSource source) {
  timespec time{};
  clock_gettime(source == TimeSource::kWall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// At least one run, however short the burst.
void run_burst(const std::function<void()>& job, TimeSource source, double burst_s, int most_runs, std::vector<double>& times_ms) {
  const double start_s = now_s(source);
  double end_s = start_s;
  for (int runs = 0; runs < most_runs && (runs == 0 || end_s - start_s < burst_s); ++runs) {
    const double run_start_s = now_s(source);
    job();
    end_s = now_s(source);
    times_ms.push_back((end_s - run_start_s) * 1e3);
  }
}

}  // namespace

std::vector<Timing> time_jobs(const std::vector<std::function<void()>>& jobs, const TimingOptions& options) {
  std::vector<double> ignored;
  for (const auto& job : jobs) run_burst(job, options.source, options.warm_up_s, options.most_runs, ignored);
  std::vector<std::vector<double>> times_ms(jobs.size());
  const int most_runs_a_round = std::max(1, options.most_runs / std::max(1, options.rounds));
  for (int round = 0; round < std::max(1, options.rounds); ++round) {
    for (std::size_t i = 0; i < jobs.size(); ++i) run_burst(jobs[i], options.source, options.burst_s, most_runs_a_round, times_ms[i]);
  }
  std::vector<Timing> timings;
  for (std::vector<double>& times : times_ms) timings.push_back(summarize_times(std::move(times)));
  return timings;
}

Timing summarize_times(std::vector<double> times_ms) {
  LATHE_CHECK(!times_ms.empty()) << "no times";
  std::sort(times_ms.begin(), times_ms.end());
  const std::size_t n = times_ms.size();
  return {.median_ms = (times_ms[(n - 1) / 2] + times_ms[n / 2]) / 2,
          .p10_ms = times_ms[n / 10],
          .p90_ms = times_ms[n - 1 - n / 10],
          .p99_ms = times_ms[n - 1 - n / 100],
          .runs = static_cast<int>(n)};
}

}  // namespace lathe::hwmodels
