#include "search/rl/actor_critic.h"

#include <ATen/Parallel.h>
#include <ATen/ops/sigmoid.h>
#include <c10/core/GradMode.h>

namespace lathe::search {

std::vector<float> ActorCritic::train(const Batch& given) {
  at::set_num_threads(1);  // summation order, and so the result, follows the thread count
  const TensorBatch batch(given);
  at::Tensor targets;
  {
    const c10::AutoGradMode no_grad(false);
    targets = critic_targets(batch);
  }
  const c10::AutoGradMode grad(true);  // the caller may be inside an evaluation that switched it off
  const at::Tensor errors = update(batch, targets).contiguous();
  return {errors.data_ptr<float>(), errors.data_ptr<float>() + errors.numel()};
}

double mean_action(const Mlp& actor, std::span<const float> state) {
  at::set_num_threads(1);
  const c10::AutoGradMode no_grad(false);
  return at::sigmoid(actor.forward(to_tensor(state, 1)).select(1, 0)).item<float>();
}

DeterministicActorCritic::DeterministicActorCritic(int state_size, const LearnerOptions& options, Rng& rng)
    : options_(options),
      actor_(state_size, options.hidden, 1, rng),
      target_actor_(actor_),
      actor_adam_(actor_.parameters(), options.actor_rate) {}

double DeterministicActorCritic::explore(std::span<const float> state, double deviation, Rng& rng) const {
  return truncated_normal(act(state), deviation, rng);
}

at::Tensor DeterministicActorCritic::target_actions(const at::Tensor& states) const {
  return at::sigmoid(target_actor_.forward(states));
}

void DeterministicActorCritic::train_actor(const at::Tensor& states, const std::function<at::Tensor(const at::Tensor& actions)>& value) {
  const at::Tensor logits = actor_.forward(states);
  logits.square().mul(kLogitDecay).sub(value(at::sigmoid(logits))).mean().backward();
  actor_adam_.step();
}

void DeterministicActorCritic::append_actors_to(NamedTensors& tensors) const {
  actor_.append_to(tensors, "actor");
  target_actor_.append_to(tensors, "target_actor");
}

void DeterministicActorCritic::move_target_actor() {
  follow(target_actor_, actor_, options_.target_rate);
}

}  // namespace lathe::search
