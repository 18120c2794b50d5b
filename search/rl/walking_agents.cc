#include "search/rl/walking_agents.h"

#include "search/rl/ddpg_learner.h"
#include "search/rl/sac_learner.h"
#include "search/rl/td3_learner.h"
#include "search/rl/walking_agent.h"

namespace lathe::search {
namespace {

std::vector<AgentKind::Option> with_noise() {
  std::vector<AgentKind::Option> options = walking_options();
  for (AgentKind::Option& noise : noise_options()) options.push_back(std::move(noise));
  return options;
}

}  // namespace

const AgentKind& ddpg_kind() {
  static const AgentKind kKind{"ddpg", "reinforcement learning: walks the layers (AMC, HAQ) for budgets all over the front", with_noise()};
  return kKind;
}

const AgentKind& td3_kind() {
  static const AgentKind kKind{"td3", "as ddpg, with two critics, smoothed targets and a delayed actor (Fujimoto et al. 2018)",
                               with_noise()};
  return kKind;
}

const AgentKind& sac_kind() {
  static const AgentKind kKind{"sac", "as ddpg, with a stochastic policy that is paid for its entropy (Haarnoja et al. 2018)",
                               walking_options()};
  return kKind;
}

std::unique_ptr<Agent> make_ddpg(const AgentOptions& options, const Problem& problem, std::uint64_t seed) {
  return make_walking_agent(ddpg_kind(), options, make_ddpg_learner, problem, seed);
}

std::unique_ptr<Agent> make_td3(const AgentOptions& options, const Problem& problem, std::uint64_t seed) {
  return make_walking_agent(td3_kind(), options, make_td3_learner, problem, seed);
}

std::unique_ptr<Agent> make_sac(const AgentOptions& options, const Problem& problem, std::uint64_t seed) {
  return make_walking_agent(sac_kind(), options, make_sac_learner, problem, seed);
}

}  // namespace lathe::search
