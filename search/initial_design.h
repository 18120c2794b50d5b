// First proposals of every agent. Uniform policies (one ratio and one width for the whole network) are what a person would try and what
// any search has to beat, so they come first; they also give a model the large-scale shape of accuracy for the price of a dozen trials.
#pragma once

#include <cstddef>
#include <vector>

#include "search/problem.h"

namespace lathe::search {

// Each decision at the legal value nearest to what (ratio, weight bits, activation bits) asks for: of kept channels the nearest to
// ratio x the largest, of widths the narrowest that is not below the wanted one (the widest if all are).
policies::Candidate uniform_candidate(const policies::SearchSpace& space, double ratio, int weight_bits, int activation_bits);

// Distinct uniform candidates, the uncompressed one first, the others in the order in which they are worth a trial; at most 16. One that
// saves nothing on any front against a less compressed one is left out (6 bits on a device of bytes). None in a space without layers,
// which is no network.
std::vector<policies::Candidate> uniform_candidates(const Problem& problem);

// What agents propose first: the uniform candidates; where the problem has sensitivities, half as many of them, those of one width
// without pruning first, in turn with candidates of each front's sensitivity path (14 over all fronts, but at least 4 of each). None in a
// space without layers, which is no network.
std::vector<policies::Candidate> initial_candidates(const Problem& problem);
// How many trials an agent should see before it goes its own way: `wanted`, or the whole of that design where it holds sensitivity paths,
// which are worth more than what any agent proposes without knowing the network.
// design_size: of initial_candidates, whose paths are not worked out again here.
int initial_trials(const Problem& problem, std::size_t design_size, int wanted);

}  // namespace lathe::search
