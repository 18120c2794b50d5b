#include "search/rl/ppo.h"

#include <map>

#include "search/agent_options.h"
#include "search/rl/layer_walk.h"
#include "search/rl/ppo_learner.h"
#include "search/rl/reward_baseline.h"
#include "search/rl/walk_proposer.h"
#include "search/rl/walking_agent.h"

namespace lathe::search {
namespace {

class Ppo final : public Agent {
 public:
  Ppo(const AgentOptions& options, const Problem& problem, std::uint64_t seed)
      : problem_(problem),
        rng_(seed, "ppo/" + options.name),
        walk_(problem),
        learner_(LayerWalk::state_size(),
                 {.hidden = static_cast<int>(option(options, ppo_kind(), "hidden")),
                  .epochs = static_cast<int>(option(options, ppo_kind(), "epochs"))},
                 Rng(seed, "ppo_weights/" + options.name)),
        trials_before_(restored_trials(options.learned, "ppo", learner_.tensors())),
        proposer_(problem, walk_, trials_before_ > 0 ? 0 : static_cast<int>(option(options, ppo_kind(), "initial")), "ppo/" + options.name, seed),
        episodes_(static_cast<std::size_t>(option(options, ppo_kind(), "episodes"))) {}

  std::vector<policies::Candidate> ask(int count, std::span<const policies::Candidate> pending) override {
    Walk walk;
    const auto walker = [&](int front, double budget, int /*repeats*/) {
      walk = {.front = front, .budget = budget};
      return walk_.walk(front, budget, [&](std::span<const float> state) { return learner_.explore(state, rng_, walk.rollout); });
    };
    const auto taker = [&](const policies::Candidate& candidate) { pending_.insert_or_assign(candidate, std::move(walk)); };
    return proposer_.propose(count, pending, walker, taker);
  }

  void tell(std::span<const Trial> finished) override {
    proposer_.learn(finished);
    for (const Trial& trial : finished) take(trial);
    if (rollouts_.size() < episodes_ || walk_.length() == 0) return;
    std::vector<double> advantages;
    for (const Outcome& outcome : outcomes_) advantages.push_back(baseline_.advantage(outcome.front, outcome.budget, outcome.reward));
    learner_.train(rollouts_, advantages);
    rollouts_.clear();
    outcomes_.clear();
  }

  std::string learned() const override {
    const std::int64_t trials = trials_before_ + static_cast<std::int64_t>(proposer_.known());
    return save_networks({.kind = "ppo", .trials = trials}, learner_.tensors());
  }

 private:
  // A walk whose trial is not finished yet.
  struct Walk {
    int front = 0;
    double budget = 1;
    Rollout rollout;
  };
  struct Outcome {
    int front;
    double budget, reward;
  };

  // All trials say what is usual under a budget; the actor learns from those that it walked itself.
  void take(const Trial& trial) {
    for (int front = 0; front < static_cast<int>(problem_.fronts.size()); ++front) {
      if (const std::optional<double> reward = walk_reward(problem_, front, trial))
        baseline_.add(front, walk_.cost(front, trial.candidate), *reward);
    }
    const auto walked = pending_.find(trial.candidate);
    if (walked == pending_.end()) return;
    Walk walk = std::move(walked->second);
    pending_.erase(walked);
    const std::optional<double> reward = walk_reward(problem_, walk.front, trial);
    if (!reward) return;
    outcomes_.push_back({walk.front, walk_.cost(walk.front, trial.candidate), *reward});
    rollouts_.push_back(std::move(walk.rollout));
  }

  const Problem& problem_;
  Rng rng_;
  LayerWalk walk_;
  PpoLearner learner_;
  std::int64_t trials_before_;
  WalkProposer proposer_;
  RewardBaseline baseline_;
  std::map<policies::Candidate, Walk> pending_;
  std::size_t episodes_;
  std::vector<Rollout> rollouts_;
  std::vector<Outcome> outcomes_;  // of the rollouts
};

}  // namespace

const AgentKind& ppo_kind() {
  static const AgentKind kKind{"ppo",
                               "as ddpg, but learns from its own walks alone (Schulman et al. 2017)",
                               {{"initial", 16, "trials of any agent before the actor proposes; uniform and quasi-random policies until then"},
                                {"hidden", 64, "units of each of the two hidden layers", 1, 4096},
                                {"episodes", 8, "own trials for an update", 1, 100000},
                                {"epochs", 30, "passes of an update over their steps", 0, 10000}}};
  return kKind;
}

std::unique_ptr<Agent> make_ppo(const AgentOptions& options, const Problem& problem, std::uint64_t seed) {
  return std::make_unique<Ppo>(options, problem, seed);
}

}  // namespace lathe::search
