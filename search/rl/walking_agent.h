// What the reinforcement-learning agents have in common: walks over the layers under budgets all over the front, and a replay buffer that
// holds every agent's trials. They differ in how they learn (learner.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "search/agent.h"
#include "search/rl/learner.h"
#include "search/rl/saved_networks.h"

namespace lathe::search {

// The options that every walking agent has; and those of exploration noise, for learners whose own policy is deterministic.
std::vector<AgentKind::Option> walking_options();
std::vector<AgentKind::Option> noise_options();

// The first measured metric of a front, larger is better; nothing where the trial failed or the front has none.
std::optional<double> walk_reward(const Problem& problem, int front, const Trial& trial);

// AgentOptions::learned put into an agent's networks: the trials that it was learned from, 0 where there is nothing.
std::int64_t restored_trials(const std::string& learned, const std::string& kind, const NamedTensors& into);

using LearnerFactory = std::unique_ptr<Learner> (*)(int state_size, const LearnerOptions& options, Rng rng);

// kind: of the options above, noise or none.
std::unique_ptr<Agent> make_walking_agent(const AgentKind& kind, const AgentOptions& options, LearnerFactory make_learner,
                                          const Problem& problem, std::uint64_t seed);

}  // namespace lathe::search
