#include "evaluators/activation_importance.h"

#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <span>
#include <vector>

#include "evaluators/internal/network_rows.h"
#include "models/executor.h"
#include "models/operators.h"

namespace lathe::evaluators {
namespace {

using models::ValueId;

// A value that layers read.
struct LayerInput {
  const policies::AxisExpression* channels;
  std::int64_t channel_dimension;
  at::Tensor sum;  // of |x|, by channel, double
  std::int64_t samples = 0;

  void add(const at::Tensor& x) {
    const at::Tensor by_channel = x.abs().transpose(channel_dimension, -1).reshape({-1, x.size(channel_dimension)});
    const at::Tensor batch = by_channel.sum(0, /*keepdim=*/false, at::kDouble);
    sum = sum.defined() ? sum + batch : batch;
    samples += by_channel.size(0);
  }
};

std::map<ValueId, LayerInput> layer_inputs(const models::Network& network, const policies::CouplingAnalysis& analysis) {
  std::map<ValueId, LayerInput> inputs;
  for (const models::Node& node : network.nodes) {
    const int weight = models::weight_input(network, node);
    if (weight < 0) continue;
    const ValueId id = node.inputs[weight == 0 ? 1 : 0];
    const policies::AxisExpression& channels = policies::input_channels(network, analysis, node);
    const auto& axes = analysis.axes[static_cast<std::size_t>(id)];
    inputs.emplace(id, LayerInput{.channels = &channels, .channel_dimension = static_cast<std::int64_t>(&channels - axes.data())});
  }
  return inputs;
}

}  // namespace

policies::Importance activation_importance(const models::Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                           const ImportanceOptions& options) {
  const c10::NoGradGuard no_grad;
  std::map<ValueId, LayerInput> inputs = layer_inputs(network, analysis);
  models::RunOptions run;
  for (const auto& [id, input] : inputs) run.observed.push_back(id);
  run.observer = [&](ValueId id, const at::Tensor& value) { inputs.at(id).add(value); };
  const models::Executor executor(network);
  for (std::int64_t begin = 0; begin < rows.size(); begin += options.batch_size)
    executor.run(internal::as_network_inputs(network, rows.batch(begin, std::min(rows.size(), begin + options.batch_size))), run);
  policies::Importance importance = policies::no_importance(analysis);
  for (const auto& [id, input] : inputs) {
    const at::Tensor mean = input.sum / static_cast<double>(input.samples);
    policies::add_channel_scores(*input.channels, {mean.data_ptr<double>(), static_cast<std::size_t>(mean.numel())}, importance);
  }
  return importance;
}

}  // namespace lathe::evaluators
