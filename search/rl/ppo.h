// The on-policy one of the agents that walk the layers.
#pragma once

#include <memory>

#include "search/agent.h"

namespace lathe::search {

const AgentKind& ppo_kind();
std::unique_ptr<Agent> make_ppo(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search
