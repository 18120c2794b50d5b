#include "search/race_bar.h"

#include <algorithm>
#include <limits>

#include "search/constraints.h"
#include "search/pareto.h"

namespace lathe::search {
namespace {

bool is_no_worse(const Point& a, const Point& b) {
  return std::equal(a.begin(), a.end(), b.begin(), [](double x, double y) { return x <= y; });
}

}  // namespace

RaceBar::RaceBar(const Problem& problem) : problem_(problem), known_(problem.fronts.size()) {
  int count = 0;
  for (std::size_t m = 0; m < problem.metrics.size(); ++m) {
    if (!problem.metrics[m].is_measured) continue;
    ++count;
    measured_ = problem.metrics[m].direction == Direction::kMaximize ? static_cast<int>(m) : -1;
  }
  if (count != 1) measured_ = -1;
}

Point RaceBar::exact_point(const Front& front, const std::vector<double>& metrics) const {
  const Point all = to_minimized(problem_, front, metrics);
  Point exact;
  for (std::size_t k = 0; k < all.size(); ++k) {
    if (front.metrics[k] != measured_) exact.push_back(all[k]);
  }
  return exact;
}

void RaceBar::learn(std::span<const Trial> finished) {
  if (measured_ < 0) return;
  for (const Trial& trial : finished) {
    for (std::size_t f = 0; f < known_.size(); ++f) {
      if (!is_feasible(problem_, problem_.fronts[f], trial)) continue;
      const Known news{exact_point(problem_.fronts[f], trial.metrics), trial.metrics[static_cast<std::size_t>(measured_)]};
      const auto covers = [](const Known& a, const Known& b) { return a.value >= b.value && is_no_worse(a.exact, b.exact); };
      if (std::any_of(known_[f].begin(), known_[f].end(), [&](const Known& other) { return covers(other, news); })) continue;
      std::erase_if(known_[f], [&](const Known& other) { return covers(news, other); });
      known_[f].push_back(news);
    }
  }
}

double RaceBar::of(const std::vector<double>& exact) const {
  constexpr double kNone = std::numeric_limits<double>::infinity();
  if (measured_ < 0) return -kNone;
  double least = kNone;
  for (std::size_t f = 0; f < known_.size(); ++f) {
    const Front& front = problem_.fronts[f];
    if (violation(problem_, front, {.can_run = true, .metrics = exact}) > 0) continue;
    double bar = -kNone;
    for (std::size_t k = 0; k < front.metrics.size(); ++k) {
      if (front.metrics[k] == measured_) bar = front.reference_point[k];
    }
    const Point point = exact_point(front, exact);
    for (const Known& known : known_[f]) {
      if (known.value > bar && is_no_worse(known.exact, point)) bar = known.value;
    }
    least = std::min(least, bar);
  }
  return least == kNone ? -kNone : least;
}

}  // namespace lathe::search
