#include "evaluators/internal/optimizer.h"

#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcdiv.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_div.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "models/base/check.h"

namespace lathe::evaluators::internal {
namespace {

// Lists of tensors are updated by one kernel on a GPU, where hundreds of small ones would cost more than the network.
using Tensors = std::vector<at::Tensor>;

Tensors zeros_like_all(const Tensors& parameters) {
  Tensors zeros;
  for (const auto& parameter : parameters) zeros.push_back(at::zeros_like(parameter.detach()));
  return zeros;
}

// The parameters that have a gradient in this step, with their state.
struct Active {
  Tensors parameters, gradients, decayed, decayed_gradients;
  std::vector<std::size_t> indices;

  Active(const Tensors& all, const Tensors& gradients_of_all) {
    LATHE_CHECK_EQ(all.size(), gradients_of_all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (!gradients_of_all[i].defined()) continue;
      indices.push_back(i);
      parameters.push_back(all[i].detach());
      gradients.push_back(gradients_of_all[i]);
      if (all[i].dim() < 2) continue;
      decayed.push_back(parameters.back());
      decayed_gradients.push_back(gradients.back());
    }
  }
  Tensors of(const Tensors& all) const {
    Tensors chosen;
    for (const std::size_t i : indices) chosen.push_back(all[i]);
    return chosen;
  }
};

class Sgd final : public Optimizer {
 public:
  Sgd(const TrainOptions& options, Tensors parameters)
      : parameters_(std::move(parameters)),
        velocities_(zeros_like_all(parameters_)),
        momentum_(options.momentum),
        weight_decay_(options.weight_decay),
        nesterov_(options.nesterov) {}

  void step(const Tensors& gradients, double learning_rate) override {
    const c10::NoGradGuard no_grad;
    const Active active(parameters_, gradients);
    if (active.parameters.empty()) return;
    if (weight_decay_ > 0 && !active.decayed.empty()) at::_foreach_add_(active.decayed_gradients, active.decayed, weight_decay_);
    const Tensors velocities = active.of(velocities_);
    at::_foreach_mul_(velocities, momentum_);
    at::_foreach_add_(velocities, active.gradients, 1);
    if (nesterov_) at::_foreach_add_(active.gradients, velocities, momentum_);
    at::_foreach_add_(active.parameters, nesterov_ ? active.gradients : velocities, -learning_rate);
  }

  Tensors state() const override { return velocities_; }

 private:
  Tensors parameters_, velocities_;
  double momentum_, weight_decay_;
  bool nesterov_;
};

class AdamW final : public Optimizer {
 public:
  AdamW(const TrainOptions& options, Tensors parameters, std::vector<double> step_factors)
      : parameters_(std::move(parameters)),
        step_factors_(std::move(step_factors)),
        means_(zeros_like_all(parameters_)),
        squares_(zeros_like_all(parameters_)),
        weight_decay_(options.weight_decay) {}

  void step(const Tensors& gradients, double learning_rate) override {
    constexpr double kMeanDecay = 0.9, kSquareDecay = 0.999, kEpsilon = 1e-8;
    const c10::NoGradGuard no_grad;
    const Active active(parameters_, gradients);
    if (active.parameters.empty()) return;
    const double t = steps_.add_(1).item().toDouble();
    if (weight_decay_ > 0 && !active.decayed.empty()) at::_foreach_mul_(active.decayed, 1 - learning_rate * weight_decay_);
    const Tensors means = active.of(means_), squares = active.of(squares_);
    at::_foreach_mul_(means, kMeanDecay);
    at::_foreach_add_(means, active.gradients, 1 - kMeanDecay);
    at::_foreach_mul_(squares, kSquareDecay);
    at::_foreach_addcmul_(squares, active.gradients, active.gradients, 1 - kSquareDecay);
    Tensors deviations = at::_foreach_sqrt(squares);
    at::_foreach_div_(deviations, std::sqrt(1 - std::pow(kSquareDecay, t)));
    at::_foreach_add_(deviations, kEpsilon);
    std::vector<at::Scalar> rates;
    for (const std::size_t i : active.indices) rates.emplace_back(-step_factors_[i] * learning_rate / (1 - std::pow(kMeanDecay, t)));
    at::_foreach_addcdiv_(active.parameters, means, deviations, rates);
  }

  Tensors state() const override {
    Tensors all{steps_};
    all.insert(all.end(), means_.begin(), means_.end());
    all.insert(all.end(), squares_.begin(), squares_.end());
    return all;
  }

 private:
  Tensors parameters_;
  std::vector<double> step_factors_;
  Tensors means_, squares_;
  double weight_decay_;
  at::Tensor steps_ = at::zeros({}, at::kDouble);
};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const TrainOptions& options, std::vector<at::Tensor> parameters,
                                          std::vector<double> step_factors) {
  LATHE_CHECK_EQ(parameters.size(), step_factors.size());
  if (options.optimizer == "adamw") return std::make_unique<AdamW>(options, std::move(parameters), std::move(step_factors));
  return std::make_unique<Sgd>(options, std::move(parameters));
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
