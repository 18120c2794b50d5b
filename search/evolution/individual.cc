#include "search/evolution/individual.h"

#include <algorithm>

#include "search/pareto.h"

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

}  // namespace lathe::search
