#include "search/rl/actor_critic.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <cstring>

namespace lathe::search {
namespace {

at::Tensor to_tensor(std::span<const float> values, std::int64_t rows) {
  at::Tensor tensor = at::empty({rows, static_cast<std::int64_t>(values.size()) / rows}, at::kFloat);
  std::memcpy(tensor.data_ptr<float>(), values.data(), values.size_bytes());
  return tensor;
}

// input -> hidden -> hidden -> 1, ReLU between.
class Mlp {
 public:
  // Layers are drawn uniformly from +-1/sqrt(inputs); the last from +-3e-3, so that first outputs are near zero (Lillicrap et al., section
  // 7).
  Mlp(int inputs, int hidden, Rng& rng) {
    const int widths[] = {inputs, hidden, hidden, 1};
    for (int l = 0; l < 3; ++l) {
      const double reach = l == 2 ? 3e-3 : 1 / std::sqrt(static_cast<double>(widths[l]));
      parameters_.push_back(drawn({widths[l + 1], widths[l]}, reach, rng));
      parameters_.push_back(drawn({widths[l + 1]}, reach, rng));
    }
  }
  Mlp(const Mlp& other) {
    for (const at::Tensor& p : other.parameters_) parameters_.push_back(p.detach().clone());
  }
  Mlp& operator=(const Mlp&) = delete;

  at::Tensor forward(const at::Tensor& x) const {
    const at::Tensor first = at::relu(at::linear(x, parameters_[0], parameters_[1]));
    const at::Tensor second = at::relu(at::linear(first, parameters_[2], parameters_[3]));
    return at::linear(second, parameters_[4], parameters_[5]);
  }
  std::vector<at::Tensor>& parameters() { return parameters_; }

 private:
  static at::Tensor drawn(std::vector<std::int64_t> shape, double reach, Rng& rng) {
    at::Tensor tensor = at::empty(shape, at::kFloat);
    float* values = tensor.data_ptr<float>();
    for (std::int64_t i = 0; i < tensor.numel(); ++i) values[i] = static_cast<float>(rng.uniform(-reach, reach));
    return tensor.set_requires_grad(true);
  }
  std::vector<at::Tensor> parameters_;
};

// D. P. Kingma, J. Ba, Adam: A Method for Stochastic Optimization, ICLR 2015, algorithm 1 with its default decay rates.
class Adam {
 public:
  Adam(Mlp& network, double rate) : network_(network), rate_(rate) {
    for (const at::Tensor& p : network.parameters()) {
      first_.push_back(at::zeros_like(p));
      second_.push_back(at::zeros_like(p));
    }
  }
  // Uses and clears the gradients.
  void step() {
    const c10::AutoGradMode no_grad(false);
    ++steps_;
    constexpr double kFirst = 0.9, kSecond = 0.999, kEpsilon = 1e-8;
    const double first_bias = 1 - std::pow(kFirst, steps_), second_bias = 1 - std::pow(kSecond, steps_);
    for (std::size_t i = 0; i < first_.size(); ++i) {
      at::Tensor& parameter = network_.parameters()[i];
      const at::Tensor gradient = parameter.grad();
      first_[i].mul_(kFirst).add_(gradient, 1 - kFirst);
      second_[i].mul_(kSecond).addcmul_(gradient, gradient, 1 - kSecond);
      parameter.addcdiv_(first_[i], second_[i].div(second_bias).sqrt_().add_(kEpsilon), -rate_ / first_bias);
      parameter.mutable_grad().zero_();
    }
  }

 private:
  Mlp& network_;
  double rate_;
  int steps_ = 0;
  std::vector<at::Tensor> first_, second_;
};

void follow(Mlp& target, Mlp& source, double rate) {
  for (std::size_t i = 0; i < target.parameters().size(); ++i) target.parameters()[i].lerp_(source.parameters()[i].detach(), rate);
}

void clear_gradients(Mlp& network) {
  for (at::Tensor& parameter : network.parameters()) {
    if (parameter.grad().defined()) parameter.mutable_grad().zero_();
  }
}

at::Tensor critic_input(const at::Tensor& states, const at::Tensor& actions) {
  return at::cat({states, actions}, 1);
}

}  // namespace

struct ActorCritic::Networks {
  Networks(int state_size, const ActorCriticOptions& o, Rng rng)
      : options(o),
        actor(state_size, o.hidden, rng),
        critic(state_size + 1, o.hidden, rng),
        target_actor(actor),
        target_critic(critic),
        actor_adam(actor, o.actor_rate),
        critic_adam(critic, o.critic_rate) {}
  ActorCriticOptions options;
  Mlp actor, critic, target_actor, target_critic;
  Adam actor_adam, critic_adam;
};

ActorCritic::ActorCritic(int state_size, const ActorCriticOptions& options, Rng rng)
    : networks_(std::make_unique<Networks>(state_size, options, rng)) {}

ActorCritic::~ActorCritic() = default;

double ActorCritic::act(std::span<const float> state) const {
  at::set_num_threads(1);
  const c10::AutoGradMode no_grad(false);
  return at::sigmoid(networks_->actor.forward(to_tensor(state, 1))).item<float>();
}

double ActorCritic::train(const Batch& batch) {
  at::set_num_threads(1);  // summation order, and so the result, follows the thread count
  const auto count = static_cast<std::int64_t>(batch.actions.size());
  const at::Tensor states = to_tensor(batch.states, count), actions = to_tensor(batch.actions, count);
  Networks& n = *networks_;
  at::Tensor targets;
  {
    const c10::AutoGradMode no_grad(false);
    const at::Tensor next = to_tensor(batch.next_states, count);
    const at::Tensor value = n.target_critic.forward(critic_input(next, at::sigmoid(n.target_actor.forward(next))));
    const at::Tensor rewards = to_tensor(batch.rewards, count);
    const at::Tensor own = to_tensor(batch.is_final, count).mul(1 - n.options.monte_carlo).add(n.options.monte_carlo);  // weight of R
    targets = value.lerp(rewards, own);
  }
  const c10::AutoGradMode grad(true);  // the caller may be inside an evaluation that switched it off
  const at::Tensor loss = n.critic.forward(critic_input(states, actions)).sub(targets).square().mean();
  loss.backward();
  n.critic_adam.step();
  // Deterministic policy gradient (eq. 6): up the critic along the actor's own action. A little weight decay on the logits keeps an early,
  // wrong critic from pushing actions so far into the sigmoid's flat ends that no gradient brings them back.
  constexpr double kLogitDecay = 1e-3;
  const at::Tensor logits = n.actor.forward(states);
  const at::Tensor value = n.critic.forward(critic_input(states, at::sigmoid(logits)));
  logits.square().mul(kLogitDecay).sub(value).mean().backward();
  n.actor_adam.step();
  clear_gradients(n.critic);
  const c10::AutoGradMode no_grad(false);
  follow(n.target_actor, n.actor, n.options.target_rate);
  follow(n.target_critic, n.critic, n.options.target_rate);
  return loss.item<float>();
}

}  // namespace lathe::search
