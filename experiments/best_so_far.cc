#include "experiments/best_so_far.h"

#include <algorithm>

#include "experiments/device_metrics.h"
#include "experiments/text_table.h"
#include "search/pareto.h"

namespace lathe::experiments {

double hypervolume_share(const search::Problem& problem, const search::Front& front, const std::vector<search::Trial>& trials) {
  double box = 1;
  for (std::size_t i = 0; i < front.metrics.size(); ++i) {
    const bool is_accuracy = problem.metrics[static_cast<std::size_t>(front.metrics[i])].direction == search::Direction::kMaximize;
    box *= is_accuracy ? 1 - front.reference_point[i] : front.reference_point[i];
  }
  return box > 0 ? search::front_hypervolume(problem, front, trials) / box : 0;
}

BestSoFar::BestSoFar(const search::Problem& problem, std::vector<double> float_latency, double least_accuracy)
    : problem_(problem), float_latency_(std::move(float_latency)), least_accuracy_(least_accuracy), fronts_(problem.fronts.size()) {}

void BestSoFar::add(const search::Trial& trial) {
  for (std::size_t f = 0; f < fronts_.size(); ++f) {
    std::vector<search::Trial>& kept = fronts_[f];
    kept.push_back(trial);
    const std::vector<std::int64_t> ids = search::pareto_set(problem_, problem_.fronts[f], kept);
    std::erase_if(kept, [&](const search::Trial& old) { return std::find(ids.begin(), ids.end(), old.id) == ids.end(); });
  }
}

std::string BestSoFar::to_string() const {
  std::string text;
  double volume = 0;
  for (std::size_t f = 0; f < fronts_.size(); ++f) {
    double speed_up = 0;
    for (const search::Trial& trial : fronts_[f]) {
      const double latency = trial.metrics[static_cast<std::size_t>(latency_metric(static_cast<int>(f)))];
      if (trial.metrics[kAccuracyMetric] >= least_accuracy_) speed_up = std::max(speed_up, float_latency_[f] / latency);
    }
    text += (text.empty() ? "" : ", ") + problem_.fronts[f].name + " " + (speed_up > 0 ? format_fixed(speed_up, 2) + "x" : "-");
    volume += hypervolume_share(problem_, problem_.fronts[f], fronts_[f]) / static_cast<double>(fronts_.size());
  }
  return text + "; hypervolume " + format_fixed(volume, 3);
}

}  // namespace lathe::experiments
