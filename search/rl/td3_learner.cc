#include "search/rl/td3_learner.h"

#include <ATen/Parallel.h>
#include <ATen/ops/sigmoid.h>
#include <c10/core/GradMode.h>

#include "search/rl/networks.h"

namespace lathe::search {
namespace {

constexpr int kPolicyDelay = 2;  // d: steps of the critics for one of the actor and the targets

class Td3Learner final : public Learner {
 public:
  Td3Learner(int state_size, const LearnerOptions& options, Rng rng)
      : options_(options),
        rng_(rng(), "td3_smoothing"),
        actor_(state_size, options.hidden, 1, rng),
        target_actor_(actor_),
        critics_(state_size, options, rng),
        actor_adam_(actor_.parameters(), options.actor_rate) {}

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
    const double loss = critics_.train(batch, targets);
    if (++steps_ % kPolicyDelay == 0) {
      train_actor(batch.states);
      follow(target_actor_, actor_, options_.target_rate);
      critics_.move_targets(options_.target_rate);
    }
    return loss;
  }

 private:
  at::Tensor critic_targets(const TensorBatch& batch) {
    const c10::AutoGradMode no_grad(false);
    const at::Tensor noise = standard_normal(batch.actions.size(0), rng_);
    const at::Tensor next_actions = smoothed_actions(at::sigmoid(target_actor_.forward(batch.next_states)), noise);
    const at::Tensor next_values = critics_.least_of_targets(batch.next_states, next_actions);
    return mixed_targets(batch.rewards, batch.is_final, next_values, options_.monte_carlo);
  }

  // Up the first critic along the actor's own action.
  void train_actor(const at::Tensor& states) {
    const at::Tensor logits = actor_.forward(states);
    const at::Tensor value = critics_.first(states, at::sigmoid(logits));
    logits.square().mul(kLogitDecay).sub(value).mean().backward();
    actor_adam_.step();
    critics_.clear();
  }

  LearnerOptions options_;
  Rng rng_;
  Mlp actor_, target_actor_;
  TwinCritics critics_;
  Adam actor_adam_;
  std::int64_t steps_ = 0;
};

}  // namespace

at::Tensor smoothed_actions(const at::Tensor& actions, const at::Tensor& noise) {
  constexpr double kDeviation = 0.1, kClip = 0.25;
  return actions.add(noise.mul(kDeviation).clamp(-kClip, kClip)).clamp(0, 1);
}

std::unique_ptr<Learner> make_td3_learner(int state_size, const LearnerOptions& options, Rng rng) {
  return std::make_unique<Td3Learner>(state_size, options, rng);
}

}  // namespace lathe::search
