// What the evolutionary agents have in common: one population for each front, parents, and how children are made of them. They differ in
// who survives.
#pragma once

#include <memory>
#include <vector>

#include "models/base/rng.h"
#include "search/agent.h"
#include "search/evolution/individual.h"

namespace lathe::search {

std::vector<AgentKind::Option> genetic_options();

// The `count` members that survive, with their ranks and crowding distances, by which parents are chosen.
using Selection = std::vector<Individual> (*)(std::vector<Individual> individuals, std::size_t count, Rng& rng);

// kind: of the options above.
std::unique_ptr<Agent> make_genetic_agent(const AgentKind& kind, const AgentOptions& options, Selection select, const Problem& problem,
                                          std::uint64_t seed);

}  // namespace lathe::search
