#include "evaluators/internal/linear_targets.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/outer.h>

#include <map>

#include "models/executor.h"

namespace lathe::evaluators::internal {

using models::ValueId;

void measure_targets(const models::Network& network, std::vector<LinearTarget>& targets, const std::vector<at::Tensor>& inputs,
                     std::int64_t positions) {
  std::multimap<ValueId, LinearTarget*> by_input, by_shortcut;
  models::RunOptions run;
  for (LinearTarget& target : targets) {
    by_input.emplace(target.layer.input, &target);
    run.observed.push_back(target.layer.input);
    if (target.shortcut == models::kNoValue) continue;
    by_shortcut.emplace(target.shortcut, &target);
    run.observed.push_back(target.shortcut);
  }
  if (targets.empty()) return;
  run.observer = [&](ValueId id, const at::Tensor& value) {
    for (auto [entry, end] = by_input.equal_range(id); entry != end; ++entry) {
      LinearTarget& target = *entry->second;
      const at::Tensor weight = weight_matrix(network, target.layer).to(at::kFloat);
      target.output = at::mm(unfolded_input(network, target.layer, value.to(at::kFloat), positions), weight.t());
    }
    for (auto [entry, end] = by_shortcut.equal_range(id); entry != end; ++entry) {
      entry->second->shortcut_output = sampled_output(entry->second->layer, value, positions);
    }
  };
  models::Executor(network).run(inputs, run);
}

CrossMoments cross_moments(const at::Tensor& x, const at::Tensor& y, bool is_centred) {
  const auto samples = static_cast<double>(x.size(0));
  CrossMoments moments{.x_mean = x.mean(0, /*keepdim=*/false, at::kDouble),
                       .y_mean = y.mean(0, /*keepdim=*/false, at::kDouble),
                       .second = at::mm(x.t(), x).to(at::kDouble) / samples,
                       .products = at::mm(x.t(), y).to(at::kDouble) / samples};
  if (is_centred) {
    moments.second -= at::outer(moments.x_mean, moments.x_mean);
    moments.products -= at::outer(moments.x_mean, moments.y_mean);
  }
  return moments;
}

}  // namespace lathe::evaluators::internal
