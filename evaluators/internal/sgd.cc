#include "evaluators/internal/sgd.h"

#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "models/base/check.h"

namespace lathe::evaluators::internal {

Sgd::Sgd(std::vector<at::Tensor> parameters, double momentum, bool nesterov, double weight_decay)
    : parameters_(std::move(parameters)), momentum_(momentum), nesterov_(nesterov), weight_decay_(weight_decay) {
  const c10::NoGradGuard no_grad;
  for (const auto& parameter : parameters_) velocities_.push_back(at::zeros_like(parameter.detach()));
}

void Sgd::step(std::vector<at::Tensor>& gradients, double learning_rate) {
  LATHE_CHECK_EQ(gradients.size(), parameters_.size());
  const c10::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& gradient = gradients[i];
    if (!gradient.defined()) continue;
    if (weight_decay_ > 0 && parameters_[i].dim() >= 2) gradient.add_(parameters_[i].detach(), weight_decay_);
    velocities_[i].mul_(momentum_).add_(gradient);
    if (nesterov_) {
      gradient.add_(velocities_[i], momentum_);
      parameters_[i].add_(gradient, -learning_rate);
    } else {
      parameters_[i].add_(velocities_[i], -learning_rate);
    }
  }
}

void clip_gradients(std::vector<at::Tensor>& gradients, double limit) {
  double squares = 0;
  for (const auto& gradient : gradients) {
    if (gradient.defined()) squares += gradient.square().sum().item().toDouble();
  }
  const double norm = std::sqrt(squares);
  if (norm <= limit) return;
  for (auto& gradient : gradients) {
    if (gradient.defined()) gradient.mul_(limit / norm);
  }
}

}  // namespace lathe::evaluators::internal
