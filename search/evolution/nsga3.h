// NSGA-III for three and more objectives: K. Deb, H. Jain, An Evolutionary Many-Objective Optimization Algorithm Using
// Reference-Point-Based Nondominated Sorting Approach, part I, IEEE TEC 18(4), 2014. Where NSGA-II keeps the loneliest by crowding
// distance, which says little in more than two dimensions, it spreads survivors over directions.
#pragma once

#include <memory>
#include <vector>

#include "models/base/rng.h"
#include "search/agent.h"
#include "search/evolution/individual.h"

namespace lathe::search {

// All points with coordinates k / divisions that add up to 1 (I. Das, J. E. Dennis, Normal-Boundary Intersection, SIAM J. Optimization
// 8(3), 1998).
std::vector<Point> das_dennis_points(std::size_t objectives, int divisions);
// Those with as many divisions as give at most `most` points; at least one division.
std::vector<Point> reference_directions(std::size_t objectives, std::size_t most);

// Section IV.C: objectives minus the best of each, over the intercepts of the hyperplane through the extreme points; over the range where
// there is no such plane. individuals: at least one.
std::vector<Point> normalized_objectives(const std::vector<Individual>& individuals);

// Algorithm 1: the best `count` by rank; of the last front those that serve the directions with the fewest members.
std::vector<Individual> niching_selection(std::vector<Individual> individuals, std::size_t count, Rng& rng);

const AgentKind& nsga3_kind();
std::unique_ptr<Agent> make_nsga3(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search
