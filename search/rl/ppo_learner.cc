#include "search/rl/ppo_learner.h"

#include <ATen/Parallel.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/full.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "search/rl/actor_critic.h"

namespace lathe::search {
namespace {

constexpr double kLogTwoPi = 1.8378770664093453;
constexpr double kFirstLogDeviation = -0.7;  // actions of an untrained actor have a deviation of 0.12 around 0.5

std::vector<at::Tensor> with(std::vector<at::Tensor> tensors, const at::Tensor& last) {
  tensors.push_back(last);
  return tensors;
}

at::Tensor column(std::span<const float> values) {
  return to_tensor(values, static_cast<std::int64_t>(values.size()));
}

// Mean 0, deviation 1 over all steps of an update.
void standardize(std::vector<float>& values) {
  const double n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const float value : values) squares += (value - mean) * (value - mean) / n;
  const double deviation = std::max(std::sqrt(squares), 1e-8);
  for (float& value : values) value = static_cast<float>((value - mean) / deviation);
}

}  // namespace

// The steps of all rollouts of an update, one row each.
struct PpoLearner::Steps {
  at::Tensor states, latents, log_densities, advantages, returns;
};

PpoLearner::PpoLearner(int state_size, const PpoOptions& options, Rng rng)
    : options_(options),
      rng_(rng(), "ppo_minibatches"),
      actor_(state_size, options.hidden, 1, rng),
      critic_(state_size, options.hidden, 1, rng),
      log_deviation_(at::full({1}, kFirstLogDeviation, at::kFloat).set_requires_grad(true)),
      actor_adam_(with(actor_.parameters(), log_deviation_), options.actor_rate),
      critic_adam_(critic_.parameters(), options.critic_rate) {}

double PpoLearner::act(std::span<const float> state) const {
  return mean_action(actor_, state);
}

double PpoLearner::explore(std::span<const float> state, Rng& rng, Rollout& rollout) const {
  at::set_num_threads(1);
  const c10::AutoGradMode no_grad(false);
  const double mean = actor_.forward(to_tensor(state, 1)).item<float>(), log_deviation = log_deviation_.item<float>();
  const double noise = rng.normal(), latent = mean + std::exp(log_deviation) * noise;
  rollout.states.insert(rollout.states.end(), state.begin(), state.end());
  rollout.latents.push_back(static_cast<float>(latent));
  rollout.log_densities.push_back(static_cast<float>(-0.5 * noise * noise - log_deviation - 0.5 * kLogTwoPi));
  return 1 / (1 + std::exp(-latent));
}

NamedTensors PpoLearner::tensors() const {
  NamedTensors tensors{{"log_deviation", log_deviation_}};
  actor_.append_to(tensors, "actor");
  critic_.append_to(tensors, "critic");
  return tensors;
}

PpoLearner::Steps PpoLearner::steps_of(std::span<const Rollout> rollouts, std::span<const double> rewards) const {
  std::vector<float> states, latents, log_densities, advantages, returns;
  for (std::size_t i = 0; i < rollouts.size(); ++i) {
    const Rollout& rollout = rollouts[i];
    const at::Tensor estimates = critic_.forward(to_tensor(rollout.states, static_cast<std::int64_t>(rollout.latents.size())));
    std::vector<double> values;
    for (std::int64_t t = 0; t < estimates.size(0); ++t) values.push_back(estimates[t][0].item<float>());
    const std::vector<double> gains = generalized_advantages(values, rewards[i], options_.lambda);
    for (std::size_t t = 0; t < values.size(); ++t) {
      advantages.push_back(static_cast<float>(gains[t]));
      returns.push_back(static_cast<float>(gains[t] + values[t]));
    }
    states.insert(states.end(), rollout.states.begin(), rollout.states.end());
    latents.insert(latents.end(), rollout.latents.begin(), rollout.latents.end());
    log_densities.insert(log_densities.end(), rollout.log_densities.begin(), rollout.log_densities.end());
  }
  standardize(advantages);
  return {.states = to_tensor(states, static_cast<std::int64_t>(latents.size())),
          .latents = column(latents),
          .log_densities = column(log_densities),
          .advantages = column(advantages),
          .returns = column(returns)};
}

double PpoLearner::train(std::span<const Rollout> rollouts, std::span<const double> rewards) {
  at::set_num_threads(1);  // summation order, and so the result, follows the thread count
  Steps steps;
  double error = 0;
  {
    const c10::AutoGradMode no_grad(false);
    steps = steps_of(rollouts, rewards);
    error = critic_.forward(steps.states).sub(steps.returns).square().mean().item<float>();
  }
  const c10::AutoGradMode grad(true);
  std::vector<std::int64_t> order(static_cast<std::size_t>(steps.latents.size(0)));
  std::iota(order.begin(), order.end(), 0);
  for (int epoch = 0; epoch < options_.epochs; ++epoch) {
    rng_.shuffle(order);
    for (std::size_t begin = 0; begin < order.size(); begin += static_cast<std::size_t>(options_.minibatch)) {
      const std::size_t end = std::min(order.size(), begin + static_cast<std::size_t>(options_.minibatch));
      train_on(steps, at::tensor(at::ArrayRef<std::int64_t>(order.data() + begin, end - begin)));
    }
  }
  return error;
}

void PpoLearner::train_on(const Steps& steps, const at::Tensor& rows) {
  const at::Tensor states = steps.states.index_select(0, rows);
  critic_.forward(states).sub(steps.returns.index_select(0, rows)).square().mean().backward();
  critic_adam_.step();
  const at::Tensor log_densities = normal_log_density(steps.latents.index_select(0, rows), actor_.forward(states), log_deviation_);
  const at::Tensor climbed = clipped_surrogate(log_densities.sub(steps.log_densities.index_select(0, rows)),
                                               steps.advantages.index_select(0, rows), options_.clip);
  // The entropy of a normal distribution is its log deviation and a constant.
  climbed.add(log_deviation_.mul(options_.entropy).mean()).neg().backward();
  actor_adam_.step();
}

std::vector<double> generalized_advantages(std::span<const double> values, double reward, double lambda) {
  std::vector<double> advantages(values.size());
  double later = 0;
  for (std::size_t t = values.size(); t-- > 0;) {
    const double next = t + 1 < values.size() ? values[t + 1] : reward;
    later = next - values[t] + lambda * later;
    advantages[t] = later;
  }
  return advantages;
}

at::Tensor clipped_surrogate(const at::Tensor& log_ratios, const at::Tensor& advantages, double epsilon) {
  const at::Tensor ratios = log_ratios.exp();
  return at::minimum(ratios.mul(advantages), ratios.clamp(1 - epsilon, 1 + epsilon).mul(advantages)).mean();
}

at::Tensor normal_log_density(const at::Tensor& latents, const at::Tensor& means, const at::Tensor& log_deviation) {
  return latents.sub(means).div(log_deviation.exp()).square().mul(-0.5).sub(log_deviation).sub(0.5 * kLogTwoPi);
}

}  // namespace lathe::search
