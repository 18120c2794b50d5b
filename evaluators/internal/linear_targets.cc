#include "evaluators/internal/linear_targets.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/outer.h>

#include <algorithm>
#include <map>

namespace lathe::evaluators::internal {

using models::ValueId;

void run_watched(const models::Executor& executor, const std::vector<at::Tensor>& inputs, const std::vector<LayerWatch>& watches) {
  if (watches.empty()) return;
  std::multimap<ValueId, const LayerWatch*> by_input, by_shortcut;
  models::RunOptions run;
  for (const LayerWatch& watch : watches) {
    by_input.emplace(watch.input, &watch);
    run.observed.push_back(watch.input);
    if (watch.shortcut == models::kNoValue) continue;
    by_shortcut.emplace(watch.shortcut, &watch);
    run.observed.push_back(watch.shortcut);
  }
  run.observer = [&](ValueId id, const at::Tensor& value) {
    for (auto [entry, end] = by_shortcut.equal_range(id); entry != end; ++entry) entry->second->on_shortcut(value);
    for (auto [entry, end] = by_input.equal_range(id); entry != end; ++entry) entry->second->on_input(value);
  };
  executor.run(inputs, run);
}

void measure_targets(const models::Network& network, std::vector<LinearTarget>& targets, const std::vector<at::Tensor>& inputs,
                     std::int64_t positions, const std::string& device) {
  std::vector<LayerWatch> watches;
  for (LinearTarget& target : targets) {
    const auto measure = [&](const at::Tensor& value) {
      const at::Tensor weight = weight_matrix(network, target.layer).to(value.device(), at::kFloat);
      target.output = at::mm(unfolded_input(network, target.layer, value.to(at::kFloat), positions), weight.t());
    };
    const auto measure_shortcut = [&](const at::Tensor& value) { target.shortcut_output = sampled_output(target.layer, value, positions); };
    watches.push_back({.input = target.layer.input, .shortcut = target.shortcut, .on_input = measure, .on_shortcut = measure_shortcut});
  }
  run_watched(models::Executor(network, device), inputs, watches);
}

namespace {

// x^T x, the blocks below the diagonal taken from above it: two thirds of the work where there are three.
at::Tensor gram(const at::Tensor& x) {
  constexpr std::int64_t kBlock = 192;
  const std::int64_t inputs = x.size(1);
  if (inputs <= kBlock) return at::mm(x.t(), x);
  const at::Tensor products = at::empty({inputs, inputs}, x.options());
  for (std::int64_t begin = 0; begin < inputs; begin += kBlock) {
    const std::int64_t size = std::min(kBlock, inputs - begin), rest = inputs - begin;
    const at::Tensor block = at::mm(x.narrow(1, begin, size).t(), x.narrow(1, begin, rest));
    products.narrow(0, begin, size).narrow(1, begin, rest).copy_(block);
    products.narrow(0, begin, rest).narrow(1, begin, size).copy_(block.t());
  }
  return products;
}

at::Tensor mean_row(const at::Tensor& values) {
  return values.mean(0, /*keepdim=*/false, at::kDouble).to(at::kCPU);
}

}  // namespace

CrossMoments cross_moments(const at::Tensor& x, const at::Tensor& y, bool is_centred) {
  CrossMoments moments{.x_mean = mean_row(x), .second = gram(x).to(at::kCPU, at::kDouble) / static_cast<double>(x.size(0))};
  if (is_centred) moments.second -= at::outer(moments.x_mean, moments.x_mean);
  replace_target(moments, x, y, is_centred);
  return moments;
}

void replace_target(CrossMoments& moments, const at::Tensor& x, const at::Tensor& y, bool is_centred) {
  moments.y_mean = mean_row(y);
  moments.products = at::mm(x.t(), y).to(at::kCPU, at::kDouble) / static_cast<double>(x.size(0));
  if (is_centred) moments.products -= at::outer(moments.x_mean, moments.y_mean);
}

}  // namespace lathe::evaluators::internal
