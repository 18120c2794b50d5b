// Soft actor-critic with automatic temperature: T. Haarnoja et al., Soft Actor-Critic Algorithms and Applications, 2018
// (arXiv:1812.05905), algorithm 1.
#pragma once

#include <memory>

#include "search/rl/learner.h"

namespace at {
class Tensor;
}

namespace lathe::search {

std::unique_ptr<Learner> make_sac_learner(int state_size, const LearnerOptions& options, Rng rng);

// Sets actions a = sigmoid(z), z = mean + exp(log_deviation) * noise, and their log density
//   log pi(a) = log N(z; mean, deviation^2) - log(a (1 - a)),
// the paper's eq. 26 for the sigmoid instead of tanh. All: [count, 1]; noise: standard normal.
void squash(const at::Tensor& mean, const at::Tensor& log_deviation, const at::Tensor& noise, at::Tensor& actions,
            at::Tensor& log_densities);

// The loss of the temperature alpha (eq. 18): mean of -alpha (log pi(a) + target entropy), of which the gradient by log alpha is taken.
at::Tensor temperature_loss(const at::Tensor& log_alpha, const at::Tensor& log_densities, double target_entropy);

}  // namespace lathe::search
