// The networks of the learners, on LibTorch's tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <span>
#include <vector>

#include "models/base/rng.h"
#include "search/rl/learner.h"
#include "search/rl/saved_networks.h"

namespace lathe::search {

// input -> hidden -> hidden -> outputs, ReLU between.
class Mlp {
 public:
  // Layers are drawn uniformly from +-1/sqrt(inputs); the last from +-3e-3, so that first outputs are near zero (T. P. Lillicrap et al.,
  // ICLR 2016, section 7).
  Mlp(int inputs, int hidden, int outputs, Rng& rng);
  Mlp(const Mlp& other);  // a copy of the values, without gradients
  Mlp& operator=(const Mlp&) = delete;

  at::Tensor forward(const at::Tensor& x) const;
  std::vector<at::Tensor>& parameters() { return parameters_; }
  // As PREFIX.0.weight, PREFIX.0.bias, PREFIX.1.weight, ...
  void append_to(NamedTensors& tensors, const std::string& prefix) const;

 private:
  std::vector<at::Tensor> parameters_;
};

// D. P. Kingma, J. Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, algorithm 1 with its default decay rates.
class Adam {
 public:
  // The tensors are shared, not copied.
  Adam(std::vector<at::Tensor> parameters, double rate);
  // Uses and clears the gradients.
  void step();

 private:
  std::vector<at::Tensor> parameters_, first_, second_;
  double rate_;
  int steps_ = 0;
};

// target += rate * (source - target)
void follow(Mlp& target, Mlp& source, double rate);
void clear_gradients(Mlp& network);

// A batch on tensors: [count, state_size] and [count, 1].
struct TensorBatch {
  explicit TensorBatch(const Batch& batch);
  at::Tensor states, next_states, actions, rewards, is_final, weights;
};
at::Tensor to_tensor(std::span<const float> values, std::int64_t rows);
at::Tensor standard_normal(std::int64_t rows, Rng& rng);  // [rows, 1]

// The critic's target of learner.h for each transition; next_values: Q'(s', a').
at::Tensor mixed_targets(const at::Tensor& rewards, const at::Tensor& is_final, const at::Tensor& next_values, double monte_carlo);

// Weight of the squared logits in a deterministic actor's loss: a little keeps an early, wrong critic from pushing actions so far into the
// sigmoid's flat ends that no gradient brings them back.
constexpr double kLogitDecay = 1e-3;

// Noise around `mean`, drawn again until it lies in [0, 1] (Y. He et al., AMC, ECCV 2018, section 3.2).
double truncated_normal(double mean, double deviation, Rng& rng);

// Two critics, of which the lower estimate counts: one alone is read where it errs upwards (S. Fujimoto, H. van Hoof, D. Meger, Addressing
// Function Approximation Error in Actor-Critic Methods, ICML 2018, section 4.2).
class TwinCritics {
 public:
  TwinCritics(int state_size, const LearnerOptions& options, Rng& rng);
  at::Tensor first(const at::Tensor& states, const at::Tensor& actions) const;
  at::Tensor least(const at::Tensor& states, const at::Tensor& actions) const;
  at::Tensor least_of_targets(const at::Tensor& states, const at::Tensor& actions) const;
  // One step of Adam on the sum of both weighted mean squared errors. Returns the mean of their sizes for each transition, [count, 1].
  at::Tensor train(const TensorBatch& batch, const at::Tensor& targets);
  void move_targets(double rate);
  void clear();  // of gradients
  void append_to(NamedTensors& tensors) const;

 private:
  Mlp first_, second_, first_target_, second_target_;
  Adam adam_;
};

}  // namespace lathe::search
