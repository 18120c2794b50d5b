// Proximal policy optimization: J. Schulman, F. Wolski, P. Dhariwal, A. Radford, O. Klimov, Proximal Policy Optimization Algorithms, 2017
// (arXiv:1707.06347), with clipped surrogate (eq. 7) and generalized advantages (eqs. 11 and 12; J. Schulman et al., High-Dimensional
// Continuous Control Using Generalized Advantage Estimation, ICLR 2016). On-policy: it learns from its own actor's walks alone.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "models/base/rng.h"
#include "search/rl/networks.h"
#include "search/rl/saved_networks.h"

namespace lathe::search {

struct PpoOptions {
  int hidden = 64;                               // units of each of two hidden layers
  double actor_rate = 3e-3, critic_rate = 3e-3;  // of Adam
  int epochs = 30;                               // over the rollouts of one update
  int minibatch = 64;                            // steps
  double clip = 0.2;                             // epsilon of eq. 7
  double lambda = 0.95;                          // of the advantages
  double entropy = 1e-3;                         // c2 of eq. 9
};

// A walk as the actor drew it. The action is sigmoid(latent), latent ~ N(mean(state), deviation^2); that the budget may have taken
// another value is the environment's doing.
struct Rollout {
  std::vector<float> states;                  // [length x state_size]
  std::vector<float> latents, log_densities;  // [length]; densities of the latents when they were drawn
};

// Deterministic in its generator, LibTorch on the calling thread alone. Thread-compatible.
class PpoLearner {
 public:
  PpoLearner(int state_size, const PpoOptions& options, Rng rng);

  // The most likely action.
  double act(std::span<const float> state) const;
  // Draws an action and appends the step to `rollout`.
  double explore(std::span<const float> state, Rng& rng, Rollout& rollout) const;
  // One update from rollouts and the reward at the end of each, about 0 and of order 1. Returns the critic's mean squared error before it.
  double train(std::span<const Rollout> rollouts, std::span<const double> rewards);
  // As Learner::tensors.
  NamedTensors tensors() const;

 private:
  struct Steps;
  Steps steps_of(std::span<const Rollout> rollouts, std::span<const double> rewards) const;
  void train_on(const Steps& steps, const at::Tensor& rows);

  const PpoOptions options_;
  Rng rng_;  // order of the minibatches
  Mlp actor_, critic_;
  at::Tensor log_deviation_;  // [1], of every latent
  Adam actor_adam_, critic_adam_;
};

// A_t = sum_l lambda^l delta_{t+l}, delta_t = r_t + V(s_{t+1}) - V(s_t), gamma 1, where the only reward is the last step's and the value
// after it is 0. values: V(s_t) of one episode, at least one step.
std::vector<double> generalized_advantages(std::span<const double> values, double reward, double lambda);

// The mean of min(r A, clip(r, 1 - epsilon, 1 + epsilon) A), r = exp(log_ratios): what the actor climbs. All: [count, 1].
at::Tensor clipped_surrogate(const at::Tensor& log_ratios, const at::Tensor& advantages, double epsilon);

// log N(latents; means, exp(log_deviation)^2).
at::Tensor normal_log_density(const at::Tensor& latents, const at::Tensor& means, const at::Tensor& log_deviation);

}  // namespace lathe::search
