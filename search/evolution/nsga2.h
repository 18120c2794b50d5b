// NSGA-II on the discrete decisions.
// K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, IEEE TEC 6(2), 2002.
#pragma once

#include <memory>
#include <vector>

#include "search/agent.h"
#include "search/pareto.h"

namespace lathe::search {

// What selection sees of a trial. Objectives are minimized; violation 0 means that all limits are kept.
struct Individual {
  policies::Candidate candidate;
  Point objectives;
  double violation = 0;
  int rank = 0;         // 0 = the best front
  double crowding = 0;  // larger = lonelier
};

// Deb et al. 2002, definition 1: a feasible solution beats an infeasible one, of two infeasible ones the smaller violation wins, of two
// feasible ones the dominating.
bool constrained_dominates(const Individual& a, const Individual& b);

// Section III.A: sets the rank of each and returns their indices front by front.
std::vector<std::vector<int>> fast_non_dominated_sort(std::vector<Individual>& individuals);

// Section III.B: sets the crowding distance of the members of one front; extremes get infinity.
void assign_crowding(std::vector<Individual>& individuals, const std::vector<int>& front);

// Section III.C: the best `count` by rank, then crowding (ties: the earlier).
std::vector<Individual> environmental_selection(std::vector<Individual> individuals, std::size_t count);

const AgentKind& nsga2_kind();
std::unique_ptr<Agent> make_nsga2(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search
