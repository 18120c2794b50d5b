#include "search/evolution/nsga2.h"

#include <algorithm>
#include <limits>

#include "search/evolution/genetic_agent.h"

namespace lathe::search {
namespace {

Individual& at(std::vector<Individual>& individuals, int i) {
  return individuals[static_cast<std::size_t>(i)];
}

}  // namespace

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

const AgentKind& nsga2_kind() {
  static const AgentKind kKind{"nsga2", "NSGA-II (Deb et al. 2002): evolves the non-dominated policies of each device", genetic_options()};
  return kKind;
}

std::unique_ptr<Agent> make_nsga2(const AgentOptions& options, const Problem& problem, std::uint64_t seed) {
  const Selection select = [](std::vector<Individual> individuals, std::size_t count, Rng&) {
    return environmental_selection(std::move(individuals), count);
  };
  return make_genetic_agent(nsga2_kind(), options, select, problem, seed);
}

}  // namespace lathe::search
