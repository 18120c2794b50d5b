// Bayesian optimization: proposes the candidates of highest expected hypervolume improvement under a Gaussian process of the measured
// metric. The parts: kernel.h, gp.h, surrogate.h, acquisition.h, candidate_search.h.
#pragma once

#include <memory>

#include "search/agent.h"

namespace lathe::search {

const AgentKind& bayes_kind();
std::unique_ptr<Agent> make_bayes(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search
