// The networks of DDPG and one step of their training. T. P. Lillicrap et al., Continuous Control with Deep Reinforcement Learning,
// ICLR 2016, algorithm 1.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/base/rng.h"

namespace lathe::search {

struct ActorCriticOptions {
  int hidden = 64;                               // units of each of two hidden layers
  double actor_rate = 1e-3, critic_rate = 2e-3;  // of Adam
  double target_rate = 0.01;                     // tau: how far the target networks move each step
  double monte_carlo = 0.5;                      // weight of the episode's own reward in the critic's target
};

// Transitions of one batch. next_states of final transitions are not looked at.
struct Batch {
  std::vector<float> states, next_states;         // [count x state_size]
  std::vector<float> actions, rewards, is_final;  // [count]; rewards: of the whole episode, baseline subtracted; is_final: 0 or 1
};

// Deterministic: weights come from the generator passed in, and LibTorch runs on the calling thread alone. Thread-compatible.
class ActorCritic {
 public:
  ActorCritic(int state_size, const ActorCriticOptions& options, Rng rng);
  ~ActorCritic();

  double act(std::span<const float> state) const;  // in (0, 1)
  // One step of Adam for the critic, one for the actor, then the targets follow. The critic's target is
  //   y = w R + (1 - w) Q'(s', mu'(s')),   y = R at the end,
  // where the paper has r + gamma Q'. Rewards come at the end of an episode only and gamma is 1, so both estimate the same return; the
  // paper's alone would need as many updates as there are layers before the first layer hears of a reward. Returns the critic's loss.
  double train(const Batch& batch);

 private:
  struct Networks;
  std::unique_ptr<Networks> networks_;
};

}  // namespace lathe::search
