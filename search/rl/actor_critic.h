// What the learners have in common: how a batch is learned from, and the deterministic actor of DDPG and TD3.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "search/rl/learner.h"
#include "search/rl/networks.h"

namespace lathe::search {

class ActorCritic : public Learner {
 public:
  std::vector<float> train(const Batch& batch) final;

 protected:
  // Called without gradients.
  virtual at::Tensor critic_targets(const TensorBatch& batch) = 0;
  // One step of Adam for all networks, with gradients. Returns the critics' errors before it, [count, 1].
  virtual at::Tensor update(const TensorBatch& batch, const at::Tensor& targets) = 0;
};

// The sigmoid of the network's first output for one state.
double mean_action(const Mlp& actor, std::span<const float> state);

class DeterministicActorCritic : public ActorCritic {
 public:
  double act(std::span<const float> state) const final { return mean_action(actor_, state); }
  double explore(std::span<const float> state, double deviation, Rng& rng) const final;

 protected:
  DeterministicActorCritic(int state_size, const LearnerOptions& options, Rng& rng);

  at::Tensor target_actions(const at::Tensor& states) const;
  // Deterministic policy gradient (Lillicrap et al. 2016, eq. 6): up the critic along the actor's own actions. Leaves gradients in the
  // critic.
  void train_actor(const at::Tensor& states, const std::function<at::Tensor(const at::Tensor& actions)>& value);
  void move_target_actor();
  void append_actors_to(NamedTensors& tensors) const;

  const LearnerOptions options_;

 private:
  Mlp actor_, target_actor_;
  Adam actor_adam_;
};

}  // namespace lathe::search
