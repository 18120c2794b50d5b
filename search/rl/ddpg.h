// Reinforcement learning: deep deterministic policy gradient that walks the decisions layer by layer, as AMC and HAQ do. The parts:
// layer_walk.h, actor_critic.h, replay_buffer.h.
#pragma once

#include <memory>

#include "search/agent.h"

namespace lathe::search {

const AgentKind& ddpg_kind();
std::unique_ptr<Agent> make_ddpg(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search
