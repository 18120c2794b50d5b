#include "experiments/recommendation.h"

#include <algorithm>

#include "experiments/device_metrics.h"
#include "search/pareto.h"

namespace lathe::experiments {
namespace {

// The front's trials, fastest first.
std::vector<const search::Trial*> by_latency(const search::Problem& problem, const std::vector<search::Trial>& trials, int target) {
  std::vector<const search::Trial*> ranked;
  for (const std::int64_t id : search::pareto_set(problem, problem.fronts[static_cast<std::size_t>(target)], trials)) {
    ranked.push_back(&*std::find_if(trials.begin(), trials.end(), [id](const search::Trial& trial) { return trial.id == id; }));
  }
  const auto latency = static_cast<std::size_t>(latency_metric(target));
  std::stable_sort(ranked.begin(), ranked.end(),
                   [latency](const search::Trial* a, const search::Trial* b) { return a->metrics[latency] < b->metrics[latency]; });
  return ranked;
}

}  // namespace

std::vector<std::int64_t> choose_deliveries(const search::Problem& problem, const std::vector<search::Trial>& trials, int target,
                                            const DeliveryWish& wish) {
  const std::vector<const search::Trial*> ranked = by_latency(problem, trials, target);
  if (ranked.empty() || wish.count <= 0) return {};
  const auto accuracy = [](const search::Trial* trial) { return trial->metrics[kAccuracyMetric]; };
  const auto fastest_within = [&](double loss) {
    constexpr double kRounding = 1e-9;  // accuracies are counts over rows
    return std::find_if(ranked.begin(), ranked.end(),
                        [&](const auto* trial) { return accuracy(trial) >= wish.float_accuracy - loss - kRounding; });
  };
  auto safe = fastest_within(wish.accuracy_loss);
  if (safe == ranked.end())
    safe = std::max_element(ranked.begin(), ranked.end(), [&](const auto* a, const auto* b) { return accuracy(a) < accuracy(b); });

  std::vector<std::int64_t> chosen{(*safe)->id};
  const auto add = [&](std::ptrdiff_t at) {
    const std::int64_t id = ranked[static_cast<std::size_t>(at)]->id;
    if (static_cast<int>(chosen.size()) < wish.count && std::find(chosen.begin(), chosen.end(), id) == chosen.end()) chosen.push_back(id);
  };
  const std::ptrdiff_t last = safe - ranked.begin();
  if (wish.recoverable_loss > 0) {
    const std::ptrdiff_t first = std::min(last, fastest_within(wish.accuracy_loss + wish.recoverable_loss) - ranked.begin());
    // Evenly in rank; the front's points crowd where accuracy falls.
    for (int i = 1; i < wish.count; ++i) add(last - (last - first) * i / (wish.count - 1));
  }
  for (std::ptrdiff_t at = last + 1; at < static_cast<std::ptrdiff_t>(ranked.size()); ++at) add(at);
  return chosen;
}

}  // namespace lathe::experiments
