#include "search/rl/sac_learner.h"

#include <ATen/Parallel.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log_sigmoid.h>
#include <ATen/ops/sigmoid.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <numbers>

#include "search/rl/actor_critic.h"

namespace lathe::search {
namespace {

// The paper's target, minus the number of actions, is for actions in [-1, 1]; an interval half as wide has log 2 less entropy.
constexpr double kTargetEntropy = -1 - std::numbers::ln2;
// At first: rewards are standardized and come once an episode, so that larger ones would drown them.
constexpr double kFirstTemperature = 0.05;
constexpr double kLeastLogDeviation = -5, kMostLogDeviation = 2;

class SacLearner final : public ActorCritic {
 public:
  SacLearner(int state_size, const LearnerOptions& options, Rng rng)
      : options_(options),
        rng_(rng(), "sac_noise"),
        actor_(state_size, options.hidden, 2, rng),
        critics_(state_size, options, rng),
        log_alpha_(at::full({1}, std::log(kFirstTemperature), at::kFloat).set_requires_grad(true)),
        actor_adam_(actor_.parameters(), options.actor_rate),
        alpha_adam_({log_alpha_}, options.actor_rate) {}

  double act(std::span<const float> state) const override { return mean_action(actor_, state); }

  // The policy's own spread is what it explores with.
  double explore(std::span<const float> state, double /*deviation*/, Rng& rng) const override {
    at::set_num_threads(1);
    const c10::AutoGradMode no_grad(false);
    return drawn(to_tensor(state, 1), standard_normal(1, rng)).actions.item<float>();
  }

  NamedTensors tensors() const override {
    NamedTensors tensors{{"log_alpha", log_alpha_}};
    actor_.append_to(tensors, "actor");
    critics_.append_to(tensors);
    return tensors;
  }

 private:
  struct Sample {
    at::Tensor actions, log_densities;
  };
  Sample drawn(const at::Tensor& states, const at::Tensor& noise) const {
    const at::Tensor output = actor_.forward(states);
    const at::Tensor log_deviation = output.narrow(1, 1, 1).clamp(kLeastLogDeviation, kMostLogDeviation);
    Sample sample;
    squash(output.narrow(1, 0, 1), log_deviation, noise, sample.actions, sample.log_densities);
    return sample;
  }

  // The soft value of the next state (eq. 3): the lower of both critics minus alpha log pi.
  at::Tensor critic_targets(const TensorBatch& batch) override {
    const Sample next = drawn(batch.next_states, standard_normal(batch.actions.size(0), rng_));
    const at::Tensor next_values = critics_.least_of_targets(batch.next_states, next.actions).sub(log_alpha_.exp().mul(next.log_densities));
    return mixed_targets(batch.rewards, batch.is_final, next_values, options_.monte_carlo);
  }

  at::Tensor update(const TensorBatch& batch, const at::Tensor& targets) override {
    const at::Tensor errors = critics_.train(batch, targets);
    train_actor(batch.states);
    critics_.move_targets(options_.target_rate);
    return errors;
  }

  // Eq. 7 for the actor, eq. 18 for the temperature.
  void train_actor(const at::Tensor& states) {
    const Sample sample = drawn(states, standard_normal(states.size(0), rng_));
    const at::Tensor value = critics_.least(states, sample.actions);
    log_alpha_.exp().detach().mul(sample.log_densities).sub(value).mean().backward();
    actor_adam_.step();
    critics_.clear();
    temperature_loss(log_alpha_, sample.log_densities.detach(), kTargetEntropy).backward();
    alpha_adam_.step();
  }

  LearnerOptions options_;
  Rng rng_;
  Mlp actor_;
  TwinCritics critics_;
  at::Tensor log_alpha_;
  Adam actor_adam_, alpha_adam_;
};

}  // namespace

void squash(const at::Tensor& mean, const at::Tensor& log_deviation, const at::Tensor& noise, at::Tensor& actions,
            at::Tensor& log_densities) {
  const at::Tensor z = mean.add(log_deviation.exp().mul(noise));
  actions = at::sigmoid(z);
  const at::Tensor log_normal = noise.square().mul(-0.5).sub(log_deviation).sub(0.5 * std::log(2 * std::numbers::pi));
  const at::Tensor log_slope = at::log_sigmoid(z).add(at::log_sigmoid(z.neg()));  // of a (1 - a), without a cancellation at the ends
  log_densities = log_normal.sub(log_slope);
}

at::Tensor temperature_loss(const at::Tensor& log_alpha, const at::Tensor& log_densities, double target_entropy) {
  return log_alpha.exp().mul(log_densities.add(target_entropy)).neg().mean();
}

std::unique_ptr<Learner> make_sac_learner(int state_size, const LearnerOptions& options, Rng rng) {
  return std::make_unique<SacLearner>(state_size, options, rng);
}

}  // namespace lathe::search
