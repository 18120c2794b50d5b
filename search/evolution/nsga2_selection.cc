#include <algorithm>
#include <limits>
#include <numeric>

#include "search/evolution/nsga2.h"

namespace lathe::search {
namespace {

Individual& at(std::vector<Individual>& individuals, int i) {
  return individuals[static_cast<std::size_t>(i)];
}

}  // namespace

bool constrained_dominates(const Individual& a, const Individual& b) {
  if (a.violation > 0 || b.violation > 0) return a.violation < b.violation;
  return dominates(a.objectives, b.objectives);
}

std::vector<std::vector<int>> fast_non_dominated_sort(std::vector<Individual>& individuals) {
  const int n = static_cast<int>(individuals.size());
  std::vector<std::vector<int>> dominated(individuals.size());
  std::vector<int> dominators(individuals.size(), 0);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      if (!constrained_dominates(at(individuals, i), at(individuals, j))) continue;
      dominated[static_cast<std::size_t>(i)].push_back(j);
      ++dominators[static_cast<std::size_t>(j)];
    }
  }
  std::vector<int> front;
  for (int i = 0; i < n; ++i) {
    if (dominators[static_cast<std::size_t>(i)] == 0) front.push_back(i);
  }
  std::vector<std::vector<int>> fronts;
  while (!front.empty()) {
    std::vector<int> next;
    for (const int i : front) {
      at(individuals, i).rank = static_cast<int>(fronts.size());
      for (const int j : dominated[static_cast<std::size_t>(i)]) {
        if (--dominators[static_cast<std::size_t>(j)] == 0) next.push_back(j);
      }
    }
    fronts.push_back(std::move(front));
    std::sort(next.begin(), next.end());
    front = std::move(next);
  }
  return fronts;
}

void assign_crowding(std::vector<Individual>& individuals, const std::vector<int>& front) {
  for (const int i : front) at(individuals, i).crowding = 0;
  if (front.empty()) return;
  for (std::size_t m = 0; m < at(individuals, front[0]).objectives.size(); ++m) {
    std::vector<int> order = front;
    const auto value = [&](int i) { return at(individuals, i).objectives[m]; };
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return value(a) < value(b); });
    const double range = value(order.back()) - value(order.front());
    at(individuals, order.front()).crowding = at(individuals, order.back()).crowding = std::numeric_limits<double>::infinity();
    if (range <= 0) continue;
    for (std::size_t k = 1; k + 1 < order.size(); ++k) {
      at(individuals, order[k]).crowding += (value(order[k + 1]) - value(order[k - 1])) / range;
    }
  }
}

std::vector<Individual> environmental_selection(std::vector<Individual> individuals, std::size_t count) {
  std::vector<Individual> selected;
  for (std::vector<int>& front : fast_non_dominated_sort(individuals)) {
    assign_crowding(individuals, front);
    std::stable_sort(front.begin(), front.end(), [&](int a, int b) { return at(individuals, a).crowding > at(individuals, b).crowding; });
    for (const int i : front) {
      if (selected.size() == count) return selected;
      selected.push_back(at(individuals, i));
    }
  }
  return selected;
}

}  // namespace lathe::search
