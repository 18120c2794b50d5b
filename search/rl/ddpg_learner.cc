#include "search/rl/ddpg_learner.h"

#include <ATen/ops/cat.h>

#include "search/rl/actor_critic.h"

namespace lathe::search {
namespace {

at::Tensor critic_input(const at::Tensor& states, const at::Tensor& actions) {
  return at::cat({states, actions}, 1);
}

class DdpgLearner final : public DeterministicActorCritic {
 public:
  DdpgLearner(int state_size, const LearnerOptions& options, Rng& rng)
      : DeterministicActorCritic(state_size, options, rng),
        critic_(state_size + 1, options.hidden, 1, rng),
        target_critic_(critic_),
        critic_adam_(critic_.parameters(), options.critic_rate) {}

  NamedTensors tensors() const override {
    NamedTensors tensors;
    append_actors_to(tensors);
    critic_.append_to(tensors, "critic");
    target_critic_.append_to(tensors, "target_critic");
    return tensors;
  }

 private:
  at::Tensor critic_targets(const TensorBatch& batch) override {
    const at::Tensor next_values = target_critic_.forward(critic_input(batch.next_states, target_actions(batch.next_states)));
    return mixed_targets(batch.rewards, batch.is_final, next_values, options_.monte_carlo);
  }

  at::Tensor update(const TensorBatch& batch, const at::Tensor& targets) override {
    const at::Tensor errors = critic_.forward(critic_input(batch.states, batch.actions)).sub(targets);
    errors.square().mul(batch.weights).mean().backward();
    critic_adam_.step();
    train_actor(batch.states, [&](const at::Tensor& actions) { return critic_.forward(critic_input(batch.states, actions)); });
    clear_gradients(critic_);
    move_target_actor();
    follow(target_critic_, critic_, options_.target_rate);
    return errors.detach().abs();
  }

  Mlp critic_, target_critic_;
  Adam critic_adam_;
};

}  // namespace

std::unique_ptr<Learner> make_ddpg_learner(int state_size, const LearnerOptions& options, Rng rng) {
  return std::make_unique<DdpgLearner>(state_size, options, rng);
}

}  // namespace lathe::search
