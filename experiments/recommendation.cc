#include "experiments/recommendation.h"

#include <algorithm>

#include "experiments/device_metrics.h"
#include "search/pareto.h"

namespace lathe::experiments {

Recommendation recommend(const search::Problem& problem, const std::vector<search::Trial>& trials, int target, double float_accuracy,
                         double accuracy_loss, int count) {
  const auto& front = problem.fronts[static_cast<std::size_t>(target)];
  std::vector<const search::Trial*> ranked;
  for (const std::int64_t id : search::pareto_set(problem, front, trials)) {
    const auto found = std::find_if(trials.begin(), trials.end(), [id](const search::Trial& trial) { return trial.id == id; });
    ranked.push_back(&*found);
  }
  Recommendation result{.target = target};
  if (ranked.empty()) return result;
  const auto latency = [&](const search::Trial* trial) { return trial->metrics[static_cast<std::size_t>(latency_metric(target))]; };
  const auto accuracy = [](const search::Trial* trial) { return trial->metrics[kAccuracyMetric]; };
  std::stable_sort(ranked.begin(), ranked.end(), [&](const auto* a, const auto* b) { return latency(a) < latency(b); });

  constexpr double kPointsPerUnit = 100;
  constexpr double kRounding = 1e-9;  // accuracies are counts over rows
  const double least = float_accuracy - accuracy_loss / kPointsPerUnit - kRounding;
  auto chosen = std::find_if(ranked.begin(), ranked.end(), [&](const auto* trial) { return accuracy(trial) >= least; });
  result.meets_loss = chosen != ranked.end();
  if (!result.meets_loss)
    chosen = std::max_element(ranked.begin(), ranked.end(), [&](const auto* a, const auto* b) { return accuracy(a) < accuracy(b); });

  const auto middle = chosen - ranked.begin(), size = static_cast<std::ptrdiff_t>(ranked.size());
  result.trials.push_back((*chosen)->id);
  for (std::ptrdiff_t step = 1; step < size && static_cast<int>(result.trials.size()) < count; ++step) {
    for (const std::ptrdiff_t at : {middle + step, middle - step}) {
      if (at >= 0 && at < size && static_cast<int>(result.trials.size()) < count)
        result.trials.push_back(ranked[static_cast<std::size_t>(at)]->id);
    }
  }
  return result;
}

}  // namespace lathe::experiments
