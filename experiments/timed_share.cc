#include "experiments/timed_share.h"

#include <algorithm>
#include <cmath>

#include "search/pareto.h"

namespace lathe::experiments {
namespace {

// Up to `count` of them, the ends first.
std::vector<std::int64_t> evenly_spaced(const std::vector<std::int64_t>& ids, int count) {
  const int size = static_cast<int>(ids.size());
  if (size <= count) return ids;
  std::vector<std::int64_t> chosen;
  for (int i = 0; i < count; ++i) chosen.push_back(ids[static_cast<std::size_t>(count == 1 ? 0 : i * (size - 1) / (count - 1))]);
  return chosen;
}

std::vector<int> front_of(std::span<const TimedPolicy> policies, double TimedPolicy::* latency) {
  std::vector<search::Point> points;
  for (const TimedPolicy& policy : policies) points.push_back({-policy.accuracy, policy.*latency});
  return search::non_dominated(points);
}

}  // namespace

std::vector<std::int64_t> worth_timing(const search::Problem& problem, const search::Front& front,
                                       const std::vector<search::Trial>& trials, const std::set<std::int64_t>& timed, int count) {
  std::vector<search::Trial> left = trials;
  std::vector<std::vector<std::int64_t>> layers;
  for (int layer = 0; layer < 2; ++layer) {
    std::vector<std::int64_t> ids = search::pareto_set(problem, front, left);
    std::erase_if(left, [&](const search::Trial& trial) { return std::find(ids.begin(), ids.end(), trial.id) != ids.end(); });
    std::erase_if(ids, [&](std::int64_t id) { return timed.contains(id); });
    layers.push_back(std::move(ids));
  }
  const int second = std::min(count / 2, static_cast<int>(layers[1].size()));
  std::vector<std::int64_t> chosen = evenly_spaced(layers[0], count - second);
  const std::vector<std::int64_t> behind = evenly_spaced(layers[1], count - static_cast<int>(chosen.size()));
  chosen.insert(chosen.end(), behind.begin(), behind.end());
  return chosen;
}

FrontShare kept_by_prediction(std::span<const TimedPolicy> policies) {
  const std::vector<int> measured = front_of(policies, &TimedPolicy::measured_ms);
  const std::vector<int> predicted = front_of(policies, &TimedPolicy::predicted_ms);
  const auto is_kept = [&](int i) { return std::find(predicted.begin(), predicted.end(), i) != predicted.end(); };
  return {.on_measured_front = static_cast<int>(measured.size()),
          .kept = static_cast<int>(std::count_if(measured.begin(), measured.end(), is_kept))};
}

double median_error(std::span<const TimedPolicy> policies) {
  std::vector<double> errors;
  for (const TimedPolicy& policy : policies) errors.push_back(std::abs(policy.predicted_ms / policy.measured_ms - 1));
  const auto middle = errors.begin() + static_cast<std::ptrdiff_t>(errors.size() / 2);
  std::nth_element(errors.begin(), middle, errors.end());
  return *middle;
}

}  // namespace lathe::experiments
