#include "search/pareto.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/base/check.h"
#include "search/constraints.h"

namespace lathe::search {
namespace {

std::vector<int> non_dominated_2d(const std::vector<Point>& points) {
  std::vector<int> order(points.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return points[static_cast<std::size_t>(a)] < points[static_cast<std::size_t>(b)]; });
  std::vector<int> kept;
  double lowest = std::numeric_limits<double>::infinity();
  for (const int i : order) {
    const double y = points[static_cast<std::size_t>(i)][1];
    if (y >= lowest && !kept.empty()) continue;
    kept.push_back(i);
    lowest = y;
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

}  // namespace

bool dominates(std::span<const double> a, std::span<const double> b) {
  LATHE_DCHECK(a.size() == b.size());
  bool is_better = false;
  for (std::size_t k = 0; k < a.size(); ++k) {
    if (a[k] > b[k]) return false;
    is_better |= a[k] < b[k];
  }
  return is_better;
}

std::vector<int> non_dominated(const std::vector<Point>& points) {
  if (!points.empty() && points[0].size() == 2) return non_dominated_2d(points);
  std::vector<int> kept;  // a point that enters removes those it dominates, so `kept` is an antichain at every step
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto covers = [&](int k) {
      const Point& p = points[static_cast<std::size_t>(k)];
      return p == points[i] || dominates(p, points[i]);
    };
    if (std::any_of(kept.begin(), kept.end(), covers)) continue;
    std::erase_if(kept, [&](int k) { return dominates(points[i], points[static_cast<std::size_t>(k)]); });
    kept.push_back(static_cast<int>(i));
  }
  return kept;
}

Point to_minimized(const Problem& problem, const Front& front, const std::vector<double>& metrics) {
  Point point;
  for (const int m : front.metrics) {
    const double value = metrics[static_cast<std::size_t>(m)];
    point.push_back(problem.metrics[static_cast<std::size_t>(m)].direction == Direction::kMinimize ? value : -value);
  }
  return point;
}

Point minimized_reference(const Problem& problem, const Front& front) {
  LATHE_CHECK_EQ(front.metrics.size(), front.reference_point.size()) << front.name;
  Point point;
  for (std::size_t k = 0; k < front.metrics.size(); ++k) {
    const double value = front.reference_point[k];
    point.push_back(problem.metrics[static_cast<std::size_t>(front.metrics[k])].direction == Direction::kMinimize ? value : -value);
  }
  return point;
}

bool is_feasible(const Problem& problem, const Front& front, const Trial& trial) {
  if (trial.state != TrialState::kComplete) return false;
  const auto is_fine = [&](int m) {
    const double value = trial.metrics[static_cast<std::size_t>(m)];
    return std::isfinite(value) && meets_limit(problem.metrics[static_cast<std::size_t>(m)], value);
  };
  return std::all_of(front.metrics.begin(), front.metrics.end(), is_fine) &&
         std::all_of(front.limited.begin(), front.limited.end(), is_fine);
}

std::vector<std::int64_t> pareto_set(const Problem& problem, const Front& front, const std::vector<Trial>& trials) {
  std::vector<const Trial*> feasible;
  std::vector<Point> points;
  for (const Trial& trial : trials) {
    if (!is_feasible(problem, front, trial)) continue;
    feasible.push_back(&trial);
    points.push_back(to_minimized(problem, front, trial.metrics));
  }
  std::vector<const Trial*> best;
  for (const int i : non_dominated(points)) best.push_back(feasible[static_cast<std::size_t>(i)]);

  std::size_t key = front.metrics.size() > 1 ? 1 : 0;
  for (std::size_t k = front.metrics.size(); k-- > 0;) {
    if (problem.metrics[static_cast<std::size_t>(front.metrics[k])].direction == Direction::kMinimize) key = k;
  }
  const std::size_t metric = static_cast<std::size_t>(front.metrics[key]);
  std::stable_sort(best.begin(), best.end(), [metric](const Trial* a, const Trial* b) { return a->metrics[metric] < b->metrics[metric]; });
  std::vector<std::int64_t> ids;
  for (const Trial* trial : best) ids.push_back(trial->id);
  return ids;
}

double front_hypervolume(const Problem& problem, const Front& front, const std::vector<Trial>& trials) {
  std::vector<Point> points;
  for (const Trial& trial : trials) {
    if (is_feasible(problem, front, trial)) points.push_back(to_minimized(problem, front, trial.metrics));
  }
  return hypervolume(points, minimized_reference(problem, front));
}

}  // namespace lathe::search
