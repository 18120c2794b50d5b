// SGD with momentum as PyTorch defines it (I. Sutskever et al., On the importance of initialization and momentum in deep learning, ICML
// 2013, with the learning rate outside of the velocity): g = gradient + weight_decay * w; v = momentum * v + g;
// w -= learning_rate * (nesterov ? g + momentum * v : v). Decay acts on parameters of two or more dimensions only.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace lathe::evaluators::internal {

class Sgd {
 public:
  Sgd(std::vector<at::Tensor> parameters, double momentum, bool nesterov, double weight_decay);
  // gradients: one for each parameter; undefined = the parameter stays. Changed in place.
  void step(std::vector<at::Tensor>& gradients, double learning_rate);

 private:
  std::vector<at::Tensor> parameters_, velocities_;
  double momentum_;
  bool nesterov_;
  double weight_decay_;
};

// Scales gradients together so that their Euclidean norm is at most `limit`.
void clip_gradients(std::vector<at::Tensor>& gradients, double limit);

}  // namespace lathe::evaluators::internal
