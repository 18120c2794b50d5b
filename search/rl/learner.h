// What the agents that walk the layers learn with: an actor and its critics.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "models/base/rng.h"
#include "search/rl/saved_networks.h"

namespace lathe::search {

struct LearnerOptions {
  int hidden = 64;                               // units of each of two hidden layers
  double actor_rate = 1e-3, critic_rate = 2e-3;  // of Adam
  double target_rate = 0.01;                     // tau: how far the target networks move each step
  double monte_carlo = 0.5;                      // w: weight of the episode's own reward in the critic's target
};

// Transitions of one batch. next_states of final transitions are not looked at.
struct Batch {
  std::vector<float> states, next_states;         // [count x state_size]
  std::vector<float> actions, rewards, is_final;  // [count]; rewards: of the whole episode, baseline subtracted; is_final: 0 or 1
  std::vector<float> weights;                     // [count]: of the squared errors of the critics; empty = 1 each
  std::vector<std::size_t> picked;                // [count]: which transitions of the replay buffer these are
};

// Actions lie in [0, 1]. Deterministic: weights and noise come from the generators passed in, and LibTorch runs on the calling thread
// alone. Thread-compatible.
//
// All learners share one departure from their papers. Rewards come at the end of an episode only and gamma is 1, so the episode's own
// reward R and the target critic's Q' estimate the same return, and the critic's target is
//   y = w R + (1 - w) Q'(s', a'),   y = R at the end,
// where the papers have r + gamma Q'. Theirs alone would need as many updates as there are layers before the first layer hears of a reward.
class Learner {
 public:
  virtual ~Learner() = default;
  // The best known action.
  virtual double act(std::span<const float> state) const = 0;
  // An action to try. deviation: of the noise, for learners whose policy has none of its own.
  virtual double explore(std::span<const float> state, double deviation, Rng& rng) const = 0;
  // One step of Adam. Returns what the critics' values of the transitions were off their targets by before it (of two critics the mean of
  // both), not below 0.
  virtual std::vector<float> train(const Batch& batch) = 0;
  // All that was learned: the tensors themselves, so that writing to them restores it. Adam starts anew.
  virtual NamedTensors tensors() const = 0;
};

}  // namespace lathe::search
