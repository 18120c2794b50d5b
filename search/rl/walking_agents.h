// Reinforcement learning that walks the decisions layer by layer, as AMC and HAQ do; one kind of agent for each learner.
#pragma once

#include <memory>

#include "search/agent.h"

namespace lathe::search {

const AgentKind& ddpg_kind();
std::unique_ptr<Agent> make_ddpg(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

const AgentKind& td3_kind();
std::unique_ptr<Agent> make_td3(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

const AgentKind& sac_kind();
std::unique_ptr<Agent> make_sac(const AgentOptions& options, const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search
