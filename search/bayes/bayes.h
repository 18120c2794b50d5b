// Bayesian optimization: proposes the candidates of highest expected hypervolume improvement under Gaussian processes of the measured
// metrics. The parts: surrogate (kernel.h, gp.h, surrogate.h), acquisition function (box_decomposition.h, acquisition.h,
// front_acquisition.h), and its maximizer (candidate_search.h).
#pragma once

#include <memory>

#include "search/agent.h"

namespace lathe::search {

const AgentKind& bayes_kind();
std::unique_ptr<Agent> make_bayes(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search
