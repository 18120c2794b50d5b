// The two optimizers that training can take its steps by. Decay acts on parameters of two or more dimensions only.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "evaluators/trainer.h"

namespace lathe::evaluators::internal {

// Changes the parameters that it was made with. Not thread-safe.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // gradients: one for each parameter; undefined = the parameter stays. Changed in place.
  virtual void step(const std::vector<at::Tensor>& gradients, double learning_rate) = 0;
  // What step() changes beside the parameters: values that are copied into these tensors are where it goes on from.
  virtual std::vector<at::Tensor> state() const = 0;
};

// options.optimizer, learning rates aside:
// sgd: with momentum as PyTorch defines it (I. Sutskever et al., On the importance of initialization and momentum in deep learning, ICML
//   2013, with the learning rate outside of the velocity): g = gradient + weight_decay * w; v = momentum * v + g;
//   w -= learning_rate * (nesterov ? g + momentum * v : v).
// adamw: I. Loshchilov, F. Hutter, Decoupled Weight Decay Regularization, ICLR 2019, algorithm 2, the decay multiplied by the learning rate
//   as in PyTorch: w -= learning_rate * weight_decay * w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
//   w -= f * learning_rate * (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + 1e-8), b1 = 0.9, b2 = 0.999; f: the parameter's step factor, 1 in
//   the paper.
// step_factors: one for each parameter; sgd, whose steps are as large as the gradients, does not use them.
std::unique_ptr<Optimizer> make_optimizer(const TrainOptions& options, std::vector<at::Tensor> parameters,
                                          std::vector<double> step_factors);

// Scales gradients together so that their Euclidean norm is at most `limit`.
void clip_gradients(std::vector<at::Tensor>& gradients, double limit);

}  // namespace lathe::evaluators::internal
