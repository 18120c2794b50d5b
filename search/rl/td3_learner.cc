#include "search/rl/td3_learner.h"

#include <utility>

#include "search/rl/actor_critic.h"

namespace lathe::search {
namespace {

constexpr int kPolicyDelay = 2;  // d: steps of the critics for one of the actor and the targets

class Td3Learner final : public DeterministicActorCritic {
 public:
  // smoothing: of the target actions' noise.
  Td3Learner(int state_size, const LearnerOptions& options, Rng smoothing, Rng& rng)
      : DeterministicActorCritic(state_size, options, rng), smoothing_(std::move(smoothing)), critics_(state_size, options, rng) {}

  NamedTensors tensors() const override {
    NamedTensors tensors;
    append_actors_to(tensors);
    critics_.append_to(tensors);
    return tensors;
  }

 private:
  at::Tensor critic_targets(const TensorBatch& batch) override {
    const at::Tensor noise = standard_normal(batch.actions.size(0), smoothing_);
    const at::Tensor next_actions = smoothed_actions(target_actions(batch.next_states), noise);
    const at::Tensor next_values = critics_.least_of_targets(batch.next_states, next_actions);
    return mixed_targets(batch.rewards, batch.is_final, next_values, options_.monte_carlo);
  }

  at::Tensor update(const TensorBatch& batch, const at::Tensor& targets) override {
    const at::Tensor errors = critics_.train(batch, targets);
    if (++steps_ % kPolicyDelay == 0) {
      train_actor(batch.states, [&](const at::Tensor& actions) { return critics_.first(batch.states, actions); });
      critics_.clear();
      move_target_actor();
      critics_.move_targets(options_.target_rate);
    }
    return errors;
  }

  Rng smoothing_;
  TwinCritics critics_;
  std::int64_t steps_ = 0;
};

}  // namespace

at::Tensor smoothed_actions(const at::Tensor& actions, const at::Tensor& noise) {
  constexpr double kDeviation = 0.1, kClip = 0.25;
  return actions.add(noise.mul(kDeviation).clamp(-kClip, kClip)).clamp(0, 1);
}

std::unique_ptr<Learner> make_td3_learner(int state_size, const LearnerOptions& options, Rng rng) {
  Rng smoothing(rng(), "td3_smoothing");
  return std::make_unique<Td3Learner>(state_size, options, std::move(smoothing), rng);
}

}  // namespace lathe::search
