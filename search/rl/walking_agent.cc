#include "search/rl/walking_agent.h"

#include <algorithm>
#include <cmath>

#include "search/agent_options.h"
#include "search/constraints.h"
#include "search/initial_design.h"
#include "search/proposal_batch.h"
#include "search/quasi_random/quasi_random.h"
#include "search/rl/layer_walk.h"
#include "search/rl/replay_buffer.h"

namespace lathe::search {
namespace {

// Index in base 2 mirrored at the point: 1/2, 1/4, 3/4, 1/8, ... so that budgets cover their range at every moment.
double van_der_corput(std::uint64_t index) {
  double value = 0, weight = 0.5;
  for (++index; index > 0; index >>= 1, weight /= 2) value += weight * static_cast<double>(index & 1);
  return value;
}

// 0 for kinds whose learners explore by themselves.
double noise_option(const AgentOptions& options, const AgentKind& kind, const std::string& name) {
  const bool has = std::any_of(kind.options.begin(), kind.options.end(), [&](const AgentKind::Option& o) { return o.name == name; });
  return has ? option(options, kind, name) : 0;
}

class WalkingAgent final : public Agent {
 public:
  WalkingAgent(const AgentKind& kind, const AgentOptions& options, LearnerFactory make_learner, const Problem& problem, std::uint64_t seed)
      : problem_(problem),
        rng_(seed, kind.kind + "/" + options.name),
        stream_(problem, Rng(seed, kind.kind + "_initial/" + options.name)),
        design_(initial_candidates(problem)),
        walk_(problem),
        learner_(make_learner(walk_.state_size(), {.hidden = static_cast<int>(option(options, kind, "hidden"))},
                              Rng(seed, kind.kind + "_weights/" + options.name))),
        replay_(walk_.length(), walk_.state_size()),
        initial_(static_cast<std::size_t>(initial_trials(problem, design_.size(), static_cast<int>(option(options, kind, "initial"))))),
        updates_(static_cast<int>(option(options, kind, "updates"))),
        noise_(noise_option(options, kind, "noise")),
        decay_(noise_option(options, kind, "noise_decay")),
        least_noise_(noise_option(options, kind, "noise_least")) {}

  std::vector<policies::Candidate> ask(int count, std::span<const policies::Candidate> pending) override {
    ProposalBatch batch(problem_, known_, count, pending);
    if (replay_.size() > 0 && known_count_ + pending.size() >= initial_) propose_by_actor(batch, count);
    while (!batch.is_full() && next_design_ < design_.size()) batch.add(design_[next_design_++]);
    constexpr int kDraws = 50;  // for one proposal, before the batch stays short
    for (int draw = 0; draw < kDraws * count && !batch.is_full(); ++draw) {
      if (const auto candidate = stream_.next()) batch.add(*candidate);
    }
    return batch.accepted();
  }

  void tell(std::span<const Trial> finished) override {
    known_.learn(finished);
    known_count_ += finished.size();
    for (const Trial& trial : finished) remember(trial);
    constexpr int kBatch = 64;
    const int steps = replay_.size() > 0 && walk_.length() > 0 ? updates_ * static_cast<int>(finished.size()) : 0;
    for (int step = 0; step < steps; ++step) learner_->train(replay_.sample(kBatch, rng_));
  }

 private:
  // Whoever proposed it: the trial shows what accuracy its decisions reach under the budget that they happen to keep (hindsight, M.
  // Andrychowicz et al., NIPS 2017), for every front.
  void remember(const Trial& trial) {
    if (trial.state != TrialState::kComplete) return;
    for (std::size_t f = 0; f < problem_.fronts.size(); ++f) {
      for (const int m : problem_.fronts[f].metrics) {
        const Metric& metric = problem_.metrics[static_cast<std::size_t>(m)];
        const double value = trial.metrics[static_cast<std::size_t>(m)];
        if (!metric.is_measured || !std::isfinite(value)) continue;
        const int front = static_cast<int>(f);
        const double budget = walk_.cost(front, trial.candidate);
        replay_.add(walk_.episode(front, budget, trial.candidate), front, budget,
                    metric.direction == Direction::kMaximize ? value : -value);
        break;
      }
    }
  }

  void propose_by_actor(ProposalBatch& batch, int count) {
    constexpr int kTries = 8;  // walks for one proposal that is new
    for (int attempt = 0; attempt < kTries * count && !batch.is_full(); ++attempt) {
      const int front = static_cast<int>(walks_ % problem_.fronts.size());
      const LayerWalk::Range range = walk_.budget_range(front);
      const double budget = range.low + (range.high - range.low) * van_der_corput(walks_ / problem_.fronts.size());
      ++walks_;
      // Noise decays with the number of trials; repeats raise it again.
      const double deviation =
          std::max(noise_ * std::pow(decay_, static_cast<double>(known_count_)), least_noise_) + 0.05 * (attempt / count);
      const policies::Candidate walked =
          walk_.walk(front, budget, [&](std::span<const float> state) { return learner_->explore(state, deviation, rng_); });
      const auto candidate = repaired(problem_, &problem_.fronts[static_cast<std::size_t>(front)], walked, rng_);
      if (candidate) batch.add(*candidate);
    }
  }

  const Problem& problem_;
  Rng rng_;
  CandidateStream stream_;
  KnownCandidates known_;
  std::size_t known_count_ = 0;
  std::vector<policies::Candidate> design_;
  std::size_t next_design_ = 0;
  LayerWalk walk_;
  std::unique_ptr<Learner> learner_;
  ReplayBuffer replay_;
  std::size_t initial_;
  int updates_;
  double noise_, decay_, least_noise_;
  std::uint64_t walks_ = 0;
};

}  // namespace

std::vector<AgentKind::Option> walking_options() {
  return {{"initial", 16, "trials of any agent before the actor proposes; uniform and quasi-random policies until then"},
          {"hidden", 64, "units of each of the two hidden layers", 1, 4096},
          {"updates", 15, "training steps for each trial that is learned", 0, 10000}};
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
