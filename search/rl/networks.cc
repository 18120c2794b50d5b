#include "search/rl/networks.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <cstring>

namespace lathe::search {
namespace {

at::Tensor drawn(std::vector<std::int64_t> shape, double reach, Rng& rng) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  float* values = tensor.data_ptr<float>();
  for (std::int64_t i = 0; i < tensor.numel(); ++i) values[i] = static_cast<float>(rng.uniform(-reach, reach));
  return tensor.set_requires_grad(true);
}

at::Tensor joined(const at::Tensor& states, const at::Tensor& actions) {
  return at::cat({states, actions}, 1);
}

std::vector<at::Tensor> both(Mlp& a, Mlp& b) {
  std::vector<at::Tensor> all = a.parameters();
  all.insert(all.end(), b.parameters().begin(), b.parameters().end());
  return all;
}

}  // namespace

Mlp::Mlp(int inputs, int hidden, int outputs, Rng& rng) {
  const int widths[] = {inputs, hidden, hidden, outputs};
  for (int l = 0; l < 3; ++l) {
    const double reach = l == 2 ? 3e-3 : 1 / std::sqrt(static_cast<double>(widths[l]));
    parameters_.push_back(drawn({widths[l + 1], widths[l]}, reach, rng));
    parameters_.push_back(drawn({widths[l + 1]}, reach, rng));
  }
}

Mlp::Mlp(const Mlp& other) {
  for (const at::Tensor& p : other.parameters_) parameters_.push_back(p.detach().clone());
}

void Mlp::append_to(NamedTensors& tensors, const std::string& prefix) const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    tensors.emplace_back(prefix + "." + std::to_string(i / 2) + (i % 2 == 0 ? ".weight" : ".bias"), parameters_[i]);
  }
}

at::Tensor Mlp::forward(const at::Tensor& x) const {
  const at::Tensor first = at::relu(at::linear(x, parameters_[0], parameters_[1]));
  const at::Tensor second = at::relu(at::linear(first, parameters_[2], parameters_[3]));
  return at::linear(second, parameters_[4], parameters_[5]);
}

Adam::Adam(std::vector<at::Tensor> parameters, double rate) : parameters_(std::move(parameters)), rate_(rate) {
  for (const at::Tensor& p : parameters_) {
    first_.push_back(at::zeros_like(p));
    second_.push_back(at::zeros_like(p));
  }
}

void Adam::step() {
  const c10::AutoGradMode no_grad(false);
  ++steps_;
  constexpr double kFirst = 0.9, kSecond = 0.999, kEpsilon = 1e-8;
  const double first_bias = 1 - std::pow(kFirst, steps_), second_bias = 1 - std::pow(kSecond, steps_);
  for (std::size_t i = 0; i < first_.size(); ++i) {
    const at::Tensor gradient = parameters_[i].grad();
    first_[i].mul_(kFirst).add_(gradient, 1 - kFirst);
    second_[i].mul_(kSecond).addcmul_(gradient, gradient, 1 - kSecond);
    parameters_[i].addcdiv_(first_[i], second_[i].div(second_bias).sqrt_().add_(kEpsilon), -rate_ / first_bias);
    parameters_[i].mutable_grad().zero_();
  }
}

void follow(Mlp& target, Mlp& source, double rate) {
  const c10::AutoGradMode no_grad(false);
  for (std::size_t i = 0; i < target.parameters().size(); ++i) target.parameters()[i].lerp_(source.parameters()[i].detach(), rate);
}

void clear_gradients(Mlp& network) {
  for (at::Tensor& parameter : network.parameters()) {
    if (parameter.grad().defined()) parameter.mutable_grad().zero_();
  }
}

TensorBatch::TensorBatch(const Batch& batch) {
  const auto count = static_cast<std::int64_t>(batch.actions.size());
  states = to_tensor(batch.states, count);
  next_states = to_tensor(batch.next_states, count);
  actions = to_tensor(batch.actions, count);
  rewards = to_tensor(batch.rewards, count);
  is_final = to_tensor(batch.is_final, count);
  weights = batch.weights.empty() ? at::ones({count, 1}, at::kFloat) : to_tensor(batch.weights, count);
}

at::Tensor to_tensor(std::span<const float> values, std::int64_t rows) {
  at::Tensor tensor = at::empty({rows, static_cast<std::int64_t>(values.size()) / rows}, at::kFloat);
  std::memcpy(tensor.data_ptr<float>(), values.data(), values.size_bytes());
  return tensor;
}

at::Tensor standard_normal(std::int64_t rows, Rng& rng) {
  at::Tensor tensor = at::empty({rows, 1}, at::kFloat);
  float* values = tensor.data_ptr<float>();
  for (std::int64_t i = 0; i < rows; ++i) values[i] = static_cast<float>(rng.normal());
  return tensor;
}

at::Tensor mixed_targets(const at::Tensor& rewards, const at::Tensor& is_final, const at::Tensor& next_values, double monte_carlo) {
  const at::Tensor own = is_final.mul(1 - monte_carlo).add(monte_carlo);  // weight of R: 1 at the end
  return next_values.lerp(rewards, own);
}

double truncated_normal(double mean, double deviation, Rng& rng) {
  constexpr int kTries = 100;  // the mean lies inside, so half of the draws do at least for small deviations
  for (int i = 0; i < kTries; ++i) {
    const double value = mean + deviation * rng.normal();
    if (value >= 0 && value <= 1) return value;
  }
  return mean;
}

TwinCritics::TwinCritics(int state_size, const LearnerOptions& options, Rng& rng)
    : first_(state_size + 1, options.hidden, 1, rng),
      second_(state_size + 1, options.hidden, 1, rng),
      first_target_(first_),
      second_target_(second_),
      adam_(both(first_, second_), options.critic_rate) {}

at::Tensor TwinCritics::first(const at::Tensor& states, const at::Tensor& actions) const {
  return first_.forward(joined(states, actions));
}

at::Tensor TwinCritics::least(const at::Tensor& states, const at::Tensor& actions) const {
  const at::Tensor x = joined(states, actions);
  return at::minimum(first_.forward(x), second_.forward(x));
}

at::Tensor TwinCritics::least_of_targets(const at::Tensor& states, const at::Tensor& actions) const {
  const at::Tensor x = joined(states, actions);
  return at::minimum(first_target_.forward(x), second_target_.forward(x));
}

at::Tensor TwinCritics::train(const TensorBatch& batch, const at::Tensor& targets) {
  const at::Tensor x = joined(batch.states, batch.actions);
  const at::Tensor first = first_.forward(x).sub(targets), second = second_.forward(x).sub(targets);
  first.square().mul(batch.weights).mean().add(second.square().mul(batch.weights).mean()).backward();
  adam_.step();
  return first.detach().abs().add(second.detach().abs()).div(2);
}

void TwinCritics::move_targets(double rate) {
  follow(first_target_, first_, rate);
  follow(second_target_, second_, rate);
}

void TwinCritics::append_to(NamedTensors& tensors) const {
  first_.append_to(tensors, "critic");
  second_.append_to(tensors, "second_critic");
  first_target_.append_to(tensors, "target_critic");
  second_target_.append_to(tensors, "second_target_critic");
}

void TwinCritics::clear() {
  clear_gradients(first_);
  clear_gradients(second_);
}

}  // namespace lathe::search
