// NSGA-II on the discrete decisions.
// K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II, IEEE TEC 6(2), 2002.
#pragma once

#include <memory>
#include <vector>

#include "search/agent.h"
#include "search/evolution/individual.h"

namespace lathe::search {

// Section III.B: sets the crowding distance of the members of one front; extremes get infinity.
void assign_crowding(std::vector<Individual>& individuals, const std::vector<int>& front);

// Section III.C: the best `count` by rank, then crowding (ties: the earlier).
std::vector<Individual> environmental_selection(std::vector<Individual> individuals, std::size_t count);

const AgentKind& nsga2_kind();
std::unique_ptr<Agent> make_nsga2(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search
