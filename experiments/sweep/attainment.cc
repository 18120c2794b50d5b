#include "experiments/sweep/attainment.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::experiments {

std::vector<FrontPoint> attainment_boundary(const std::vector<std::vector<FrontPoint>>& fronts, int count) {
  struct Event {
    double cost, value;
    std::size_t front;
  };
  std::vector<Event> events;
  for (std::size_t f = 0; f < fronts.size(); ++f)
    for (const FrontPoint& point : fronts[f]) events.push_back({point.cost, point.value, f});
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.cost < b.cost; });

  constexpr double kNothing = -std::numeric_limits<double>::infinity();
  const auto needed = static_cast<std::size_t>(count);
  std::vector<double> best(fronts.size(), kNothing);  // of each front, at the costs passed so far
  std::vector<FrontPoint> boundary;
  if (needed == 0 || needed > fronts.size()) return boundary;
  for (std::size_t i = 0; i < events.size(); ++i) {
    best[events[i].front] = std::max(best[events[i].front], events[i].value);
    if (i + 1 < events.size() && events[i + 1].cost == events[i].cost) continue;
    std::vector<double> sorted = best;
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(needed - 1), sorted.end(), std::greater<>());
    const double attained = sorted[needed - 1];
    if (attained == kNothing || (!boundary.empty() && attained <= boundary.back().value)) continue;
    boundary.push_back({events[i].cost, attained});
  }
  return boundary;
}

int runs_of_share(int runs, double share) {
  constexpr double kRounding = 1e-9;
  return std::clamp(static_cast<int>(std::ceil(share * runs - kRounding)), 1, std::max(1, runs));
}

}  // namespace lathe::experiments
