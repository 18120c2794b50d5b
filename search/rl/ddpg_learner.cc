#include "search/rl/ddpg_learner.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/sigmoid.h>
#include <c10/core/GradMode.h>

#include "search/rl/networks.h"

namespace lathe::search {
namespace {

at::Tensor critic_input(const at::Tensor& states, const at::Tensor& actions) {
  return at::cat({states, actions}, 1);
}

class DdpgLearner final : public Learner {
 public:
  DdpgLearner(int state_size, const LearnerOptions& options, Rng rng)
      : options_(options),
        actor_(state_size, options.hidden, 1, rng),
        critic_(state_size + 1, options.hidden, 1, rng),
        target_actor_(actor_),
        target_critic_(critic_),
        actor_adam_(actor_.parameters(), options.actor_rate),
        critic_adam_(critic_.parameters(), options.critic_rate) {}

  double act(std::span<const float> state) const override {
    at::set_num_threads(1);
    const c10::AutoGradMode no_grad(false);
    return at::sigmoid(actor_.forward(to_tensor(state, 1))).item<float>();
  }

  double explore(std::span<const float> state, double deviation, Rng& rng) const override {
    return truncated_normal(act(state), deviation, rng);
  }

  double train(const Batch& given) override {
    at::set_num_threads(1);  // summation order, and so the result, follows the thread count
    const TensorBatch batch(given);
    const at::Tensor targets = critic_targets(batch);
    const c10::AutoGradMode grad(true);  // the caller may be inside an evaluation that switched it off
    const at::Tensor loss = critic_.forward(critic_input(batch.states, batch.actions)).sub(targets).square().mean();
    loss.backward();
    critic_adam_.step();
    train_actor(batch.states);
    follow(target_actor_, actor_, options_.target_rate);
    follow(target_critic_, critic_, options_.target_rate);
    return loss.item<float>();
  }

 private:
  at::Tensor critic_targets(const TensorBatch& batch) const {
    const c10::AutoGradMode no_grad(false);
    const at::Tensor next_actions = at::sigmoid(target_actor_.forward(batch.next_states));
    const at::Tensor next_values = target_critic_.forward(critic_input(batch.next_states, next_actions));
    return mixed_targets(batch.rewards, batch.is_final, next_values, options_.monte_carlo);
  }

  // Deterministic policy gradient (eq. 6): up the critic along the actor's own action.
  void train_actor(const at::Tensor& states) {
    const at::Tensor logits = actor_.forward(states);
    const at::Tensor value = critic_.forward(critic_input(states, at::sigmoid(logits)));
    logits.square().mul(kLogitDecay).sub(value).mean().backward();
    actor_adam_.step();
    clear_gradients(critic_);
  }

  LearnerOptions options_;
  Mlp actor_, critic_, target_actor_, target_critic_;
  Adam actor_adam_, critic_adam_;
};

}  // namespace

std::unique_ptr<Learner> make_ddpg_learner(int state_size, const LearnerOptions& options, Rng rng) {
  return std::make_unique<DdpgLearner>(state_size, options, rng);
}

}  // namespace lathe::search
