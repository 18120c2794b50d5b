#include "evaluators/adaround.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <string>
#include <vector>

#include "evaluators/internal/layer_inputs.h"
#include "evaluators/internal/linear_targets.h"
#include "evaluators/internal/mean_outlet.h"
#include "evaluators/internal/network_rows.h"
#include "evaluators/internal/weight_quantizer.h"
#include "models/base/check.h"
#include "models/executor.h"
#include "policies/quantize_network.h"

namespace lathe::evaluators {
namespace {

using internal::LinearLayer;
using models::Network;
using models::ValueId;

constexpr double kZeta = 1.1, kGamma = -0.1;

// V at which h(V) is the part of W / s above its floor, so that W~ = W at the start.
at::Tensor initial_v(const AdaRoundProblem& problem) {
  const at::Tensor levels = problem.weight / problem.scale, part = levels - levels.floor();
  const at::Tensor share = (part - kGamma) / (kZeta - kGamma);  // in [0.083, 0.917]
  return (share / (1 - share)).log();
}

at::Tensor nearest(const AdaRoundProblem& problem) {
  return (problem.weight / problem.scale).round().clamp(problem.quant_min, problem.quant_max) * problem.scale;
}

// E|y - W~ x^|^2 without E|y|^2.
double reconstruction_error(const AdaRoundProblem& problem, const at::Tensor& rounded) {
  return (rounded * (at::mm(rounded, problem.second) - 2 * problem.products.t())).sum().item<double>();
}

// What the nearest integers lose against the float weight, a weight; 0 where they lose nothing.
double error_a_weight(const AdaRoundProblem& problem) {
  const at::Tensor difference = nearest(problem) - problem.weight;
  const double error = (at::mm(difference, problem.second) * difference).sum().item<double>();
  return error / static_cast<double>(problem.weight.numel());
}

class Adam {  // D. P. Kingma, J. Ba, ICLR 2015, algorithm 1
 public:
  explicit Adam(const at::Tensor& like) : first_(at::zeros_like(like)), second_(at::zeros_like(like)) {}
  void step(at::Tensor& x, const at::Tensor& gradient, double learning_rate) {
    constexpr double kFirst = 0.9, kSecond = 0.999, kEpsilon = 1e-8;
    ++steps_;
    first_.mul_(kFirst).add_(gradient, 1 - kFirst);
    second_.mul_(kSecond).addcmul_(gradient, gradient, 1 - kSecond);
    const double corrected = learning_rate * std::sqrt(1 - std::pow(kSecond, steps_)) / (1 - std::pow(kFirst, steps_));
    x.addcdiv_(first_, second_.sqrt().add_(kEpsilon), -corrected);
  }

 private:
  at::Tensor first_, second_;
  int steps_ = 0;
};

// Rounds layer after layer while the quantized network runs, so that each sees what those before it give with their weights rounded.
class Rounding {
 public:
  Rounding(const Network& quantized, const Network& floating, const AdaRoundOptions& options)
      : executor_(quantized), floating_(floating), options_(options) {}

  Network run(const Rows& calibration) && {
    const std::int64_t rows = std::min(options_.rows, calibration.size());
    const auto inputs = internal::as_network_inputs(floating_, calibration.batch(0, rows));
    const Network& quantized = executor_.network();
    const std::map<std::string, int> nodes = models::node_indices(quantized);
    for (int n = 0; n < static_cast<int>(floating_.nodes.size()); ++n) {
      internal::LinearTarget target;
      if (!internal::as_linear_layer(floating_, n, target.layer)) continue;
      const int index = nodes.at(floating_.nodes[static_cast<std::size_t>(n)].name);
      if (internal::weight_quantizer(quantized, quantized.nodes[static_cast<std::size_t>(index)]) == nullptr) continue;
      targets_.push_back(target);
      nodes_.push_back(index);
    }
    internal::measure_targets(floating_, targets_, inputs, options_.positions);
    std::multimap<ValueId, std::size_t> by_input;
    models::RunOptions run;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      run.observed.push_back(node(i).inputs[0]);
      by_input.emplace(node(i).inputs[0], i);
    }
    run.observer = [&](ValueId id, const at::Tensor& value) {
      for (auto [entry, end] = by_input.equal_range(id); entry != end; ++entry) round(entry->second, value);
    };
    if (!targets_.empty()) executor_.run(inputs, run);
    return executor_.snapshot();
  }

 private:
  const models::Node& node(std::size_t i) const { return executor_.network().nodes[static_cast<std::size_t>(nodes_[i])]; }

  void round(std::size_t i, const at::Tensor& value) {
    const models::Node& quantizer = *internal::weight_quantizer(executor_.network(), node(i));
    const policies::QuantizationParameters parameters = policies::parameters_of(executor_.network(), quantizer);
    const internal::MeanOutlet outlet = internal::mean_outlet(executor_.network(), node(i));
    const bool has_outlet = outlet.constant != models::kNoValue;
    const LinearLayer& layer = targets_[i].layer;
    const at::Tensor x = internal::unfolded_input(floating_, layer, value.to(at::kFloat), options_.positions);
    const internal::CrossMoments moments = internal::cross_moments(x, targets_[i].output, has_outlet);
    targets_[i].output = at::Tensor();  // free it
    if (!moments.second.isfinite().all().item<bool>()) return;
    const std::vector<double> scales(parameters.scale.begin(), parameters.scale.end());
    const AdaRoundProblem problem{.weight = internal::weight_matrix(floating_, layer),
                                  .scale = at::tensor(scales, at::kDouble).view({-1, 1}),
                                  .second = moments.second,
                                  .products = moments.products,
                                  .quant_min = parameters.quant_min,
                                  .quant_max = parameters.quant_max};
    const at::Tensor rounded = adaround(problem, options_);
    executor_.constant(quantizer.inputs[0]).copy_(models::to_torch(internal::as_weight(floating_, layer, rounded)));
    if (has_outlet) internal::shift_mean(executor_, outlet, moments.y_mean - at::mv(rounded, moments.x_mean));
  }

  models::Executor executor_;  // of the quantized network
  const Network& floating_;
  const AdaRoundOptions& options_;
  std::vector<internal::LinearTarget> targets_;
  std::vector<int> nodes_;  // of the quantized network, one a target
};

}  // namespace

AdaRoundLoss adaround_loss(const AdaRoundProblem& problem, const at::Tensor& v, double error_scale, double lambda, double beta) {
  const at::Tensor sigmoid = v.sigmoid(), stretched = sigmoid * (kZeta - kGamma) + kGamma, h = stretched.clamp(0, 1);
  const at::Tensor levels = (problem.weight / problem.scale).floor() + h;
  const at::Tensor rounded = levels.clamp(problem.quant_min, problem.quant_max) * problem.scale;
  const at::Tensor is_within = (levels > problem.quant_min).logical_and(levels < problem.quant_max);
  const at::Tensor by_rounded = 2 * (at::mm(rounded, problem.second) - problem.products.t()) / error_scale;
  at::Tensor by_h = by_rounded * problem.scale * is_within;
  double value = reconstruction_error(problem, rounded) / error_scale;
  if (lambda > 0) {
    const at::Tensor centred = 2 * h - 1;
    value += lambda * (1 - centred.abs().pow(beta)).sum().item<double>();
    by_h = by_h - lambda * 2 * beta * centred.abs().pow(beta - 1) * centred.sign();
  }
  // Zeros of a sparse layer stay: V is where h(V) = 0 for them.
  const at::Tensor is_free = (stretched > 0).logical_and(stretched < 1).logical_and(problem.weight != 0);
  return {.value = value, .gradient = by_h * is_free * (kZeta - kGamma) * sigmoid * (1 - sigmoid)};
}

at::Tensor adaround(const AdaRoundProblem& problem, const AdaRoundOptions& options) {
  const double error_scale = error_a_weight(problem);
  if (!(error_scale > 0)) return nearest(problem);
  at::Tensor v = initial_v(problem);
  Adam adam(v);
  for (int step = 0; step < options.steps; ++step) {
    const double progress = static_cast<double>(step) / options.steps;
    const double annealed = std::max(0.0, progress - options.warm_start) / (1 - options.warm_start);
    const double beta = options.last_beta + (options.first_beta - options.last_beta) * 0.5 * (1 + std::cos(annealed * std::numbers::pi));
    const double lambda = progress < options.warm_start ? 0 : options.lambda;
    adam.step(v, adaround_loss(problem, v, error_scale, lambda, beta).gradient, options.learning_rate);
  }
  const at::Tensor levels = (problem.weight / problem.scale).floor() + (v > 0).to(at::kDouble);  // h(0) = 1 / 2
  return levels.clamp(problem.quant_min, problem.quant_max) * problem.scale;
}

Network round_weights_by_adaround(const Network& quantized, const Network& floating, const Rows& calibration,
                                  const AdaRoundOptions& options) {
  LATHE_CHECK_GT(calibration.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  return Rounding(quantized, floating, options).run(calibration);
}

}  // namespace lathe::evaluators
