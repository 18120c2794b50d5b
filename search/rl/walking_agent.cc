#include "search/rl/walking_agent.h"

#include <algorithm>
#include <cmath>

#include "search/agent_options.h"
#include "search/rl/layer_walk.h"
#include "search/rl/replay_buffer.h"
#include "search/rl/walk_proposer.h"

namespace lathe::search {
namespace {

// 0 for kinds whose learners explore by themselves.
double noise_option(const AgentOptions& options, const AgentKind& kind, const std::string& name) {
  const bool has = std::any_of(kind.options.begin(), kind.options.end(), [&](const AgentKind::Option& o) { return o.name == name; });
  return has ? option(options, kind, name) : 0;
}

class WalkingAgent final : public Agent {
 public:
  WalkingAgent(const AgentKind& kind, const AgentOptions& options, LearnerFactory make_learner, const Problem& problem, std::uint64_t seed)
      : problem_(problem),
        kind_(kind.kind),
        rng_(seed, kind.kind + "/" + options.name),
        walk_(problem),
        learner_(make_learner(LayerWalk::state_size(), {.hidden = static_cast<int>(option(options, kind, "hidden"))},
                              Rng(seed, kind.kind + "_weights/" + options.name))),
        replay_(walk_.length(), LayerWalk::state_size(), option(options, kind, "prioritization")),
        trials_before_(restored_trials(options.learned, kind.kind, learner_->tensors())),
        proposer_(problem, walk_, knows_something() ? 0 : static_cast<int>(option(options, kind, "initial")),
                  kind.kind + "/" + options.name, seed),
        updates_(static_cast<int>(option(options, kind, "updates"))),
        noise_(noise_option(options, kind, "noise")),
        decay_(noise_option(options, kind, "noise_decay")),
        least_noise_(noise_option(options, kind, "noise_least")) {}

  std::vector<policies::Candidate> ask(int count, std::span<const policies::Candidate> pending) override {
    const auto walker = [this](int front, double budget, int repeats) {
      // Noise decays with the number of trials; repeats raise it again.
      const double trials = static_cast<double>(trials_before_) + static_cast<double>(proposer_.known());
      const double deviation = std::max(noise_ * std::pow(decay_, trials), least_noise_) + 0.05 * repeats;
      return walk_.walk(front, budget, [&](std::span<const float> state) { return learner_->explore(state, deviation, rng_); });
    };
    return proposer_.propose(count, pending, knows_something() ? WalkProposer::Walker(walker) : nullptr);
  }

  void tell(std::span<const Trial> finished) override {
    proposer_.learn(finished);
    for (const Trial& trial : finished) remember(trial);
    constexpr int kBatch = 64;
    const int steps = replay_.size() > 0 && walk_.length() > 0 ? updates_ * static_cast<int>(finished.size()) : 0;
    for (int step = 0; step < steps; ++step) {
      const Batch batch = replay_.sample(kBatch, rng_, importance_exponent());
      replay_.prioritize(batch.picked, learner_->train(batch));
    }
  }

  std::string learned() const override {
    return save_networks({.kind = kind_, .trials = trials_before_ + static_cast<std::int64_t>(proposer_.known())}, learner_->tensors());
  }

 private:
  // beta of prioritized replay, from 0.4 to 1 as in the paper, where the end of training is known; here over this many trials.
  double importance_exponent() const {
    constexpr double kFirst = 0.4, kTrials = 300;
    return std::min(1.0, kFirst + (1 - kFirst) * static_cast<double>(proposer_.known()) / kTrials);
  }

  bool knows_something() const { return trials_before_ > 0 || replay_.size() > 0; }

  // Whoever proposed it: the trial shows what accuracy its decisions reach under the budget that they happen to keep (hindsight, M.
  // Andrychowicz et al., NIPS 2017), for every front.
  void remember(const Trial& trial) {
    for (int front = 0; front < static_cast<int>(problem_.fronts.size()); ++front) {
      const std::optional<double> reward = walk_reward(problem_, front, trial);
      if (!reward) continue;
      const double budget = walk_.cost(front, trial.candidate);
      replay_.add(walk_.episode(front, budget, trial.candidate), front, budget, *reward);
    }
  }

  const Problem& problem_;
  const std::string kind_;
  Rng rng_;
  LayerWalk walk_;
  std::unique_ptr<Learner> learner_;
  ReplayBuffer replay_;
  std::int64_t trials_before_;  // that another search's agent of this kind had learned, whose networks these were
  WalkProposer proposer_;
  int updates_;
  double noise_, decay_, least_noise_;
};

}  // namespace

std::int64_t restored_trials(const std::string& learned, const std::string& kind, const NamedTensors& into) {
  return learned.empty() ? 0 : restore_networks(learned, kind, into).trials;
}

std::optional<double> walk_reward(const Problem& problem, int front, const Trial& trial) {
  if (trial.state == TrialState::kFailed) return std::nullopt;
  for (const int m : problem.fronts[static_cast<std::size_t>(front)].metrics) {
    const Metric& metric = problem.metrics[static_cast<std::size_t>(m)];
    const double value = trial.metrics[static_cast<std::size_t>(m)];
    if (metric.is_measured && std::isfinite(value)) return metric.direction == Direction::kMaximize ? value : -value;
  }
  return std::nullopt;
}

std::vector<AgentKind::Option> walking_options() {
  return {{"initial", 16, "trials of any agent before the actor proposes; uniform and quasi-random policies until then"},
          {"hidden", 64, "units of each of the two hidden layers", 1, 4096},
          {"updates", 15, "training steps for each trial that is learned", 0, 10000},
          {"prioritization", 0, "alpha of prioritized experience replay (Schaul et al. 2016 take 0.6); 0 = uniform", 0, 1, false}};
}

std::vector<AgentKind::Option> noise_options() {
  return {{"noise", 0.4, "standard deviation of the exploration noise at the start, on actions in [0, 1]", 0, 10, false},
          {"noise_decay", 0.97, "factor on it for each trial that is learned", 0, 1, false},
          {"noise_least", 0.05, "where it stops", 0, 10, false}};
}

std::unique_ptr<Agent> make_walking_agent(const AgentKind& kind, const AgentOptions& options, LearnerFactory make_learner,
                                          const Problem& problem, std::uint64_t seed) {
  return std::make_unique<WalkingAgent>(kind, options, make_learner, problem, seed);
}

}  // namespace lathe::search
