#include "hwmodels/profiling/power_meter.h"

#include <chrono>

namespace lathe::hwmodels {
namespace {

using Clock = std::chrono::steady_clock;

// Between two looks at the counter, which take a millisecond in which the device is idle.
constexpr double kBurst_s = 0.02;
constexpr double kLongestStep_s = 1;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void run_for(const std::function<void()>& job, double seconds) {
  const Clock::time_point start = Clock::now();
  do job();
  while (seconds_since(start) < seconds);
}

struct Reading {
  Clock::time_point time;
  double energy_j;
};

// Runs the job until the counter moves.
std::optional<Reading> next_step(const EnergyCounter& counter, const std::function<void()>& job) {
  const std::optional<double> before_j = counter();
  if (!before_j) return std::nullopt;
  const Clock::time_point start = Clock::now();
  while (seconds_since(start) < kLongestStep_s) {
    run_for(job, kBurst_s);
    const std::optional<double> now_j = counter();
    if (!now_j) return std::nullopt;
    if (*now_j > *before_j) return Reading{Clock::now(), *now_j};
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> average_power_w(const EnergyCounter& counter, const std::function<void()>& job, double seconds) {
  run_for(job, seconds / 2);
  const std::optional<Reading> first = next_step(counter, job);
  if (!first) return std::nullopt;
  run_for(job, seconds / 2);
  const std::optional<Reading> last = next_step(counter, job);
  if (!last) return std::nullopt;
  return (last->energy_j - first->energy_j) / std::chrono::duration<double>(last->time - first->time).count();
}

}  // namespace lathe::hwmodels
