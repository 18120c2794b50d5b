#include "evaluators/gate_importance.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>

#include "evaluators/internal/label_loss.h"
#include "evaluators/internal/network_rows.h"
#include "models/executor.h"
#include "models/operators.h"

namespace lathe::evaluators {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

// The output of the layer, or of the BatchNormalization that alone reads it.
ValueId gated_value(const Network& network, const std::vector<std::vector<int>>& readers, const Node& layer) {
  const ValueId output = layer.outputs[0];
  const auto& nodes = readers[static_cast<std::size_t>(output)];
  if (nodes.size() != 1) return output;
  const Node& reader = network.nodes[static_cast<std::size_t>(nodes[0])];
  return reader.op == "BatchNormalization" ? reader.outputs[0] : output;
}

std::int64_t channel_dimension(const Network& network, const policies::CouplingAnalysis& analysis, const Node& layer) {
  return &policies::output_channels(network, analysis, layer) - analysis.axes[static_cast<std::size_t>(layer.outputs[0])].data();
}

// [rows (* positions), ..., channels at `dimension`, ...] -> [rows, channels].
at::Tensor summed_by_row(const at::Tensor& products, std::int64_t rows, std::int64_t dimension) {
  const at::Tensor moved = products.to(at::kDouble).transpose(dimension, -1);
  return moved.reshape({rows, -1, moved.size(-1)}).sum(1);
}

template <typename Score>
policies::Importance sum_over_layers(const Network& network, const policies::CouplingAnalysis& analysis,
                                     const std::vector<GateGradients>& layers, Score score) {
  policies::Importance importance = policies::no_importance(analysis);
  for (const GateGradients& layer : layers) {
    at::Tensor sum = at::zeros({layer.batches.at(0).size(1)}, at::kDouble);
    std::int64_t rows = 0;
    for (const at::Tensor& batch : layer.batches) {
      sum += score(batch) * static_cast<double>(batch.size(0));
      rows += batch.size(0);
    }
    sum /= static_cast<double>(rows);
    const auto& channels = policies::output_channels(network, analysis, network.nodes[static_cast<std::size_t>(layer.node)]);
    policies::add_channel_scores(channels, {sum.data_ptr<double>(), static_cast<std::size_t>(sum.numel())}, importance);
  }
  return importance;
}

}  // namespace

std::vector<GateGradients> gate_gradients(const Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                          std::int64_t batch_size) {
  const auto readers = models::consumers(network);
  std::vector<GateGradients> layers;
  models::RunOptions run;
  for (int n = 0; n < static_cast<int>(network.nodes.size()); ++n) {
    const Node& node = network.nodes[static_cast<std::size_t>(n)];
    if (models::weight_input(network, node) < 0) continue;
    layers.push_back({.node = n, .value = gated_value(network, readers, node)});
    run.observed.push_back(layers.back().value);
  }
  std::map<ValueId, at::Tensor> values;
  run.observer = [&](ValueId id, const at::Tensor& value) {
    value.retain_grad();
    values[id] = value;
  };
  const models::Executor executor(network);
  for (auto& [id, parameter] : executor.trainable()) parameter.requires_grad_(true);
  const c10::AutoGradMode with_gradients(true);
  for (std::int64_t begin = 0; begin < rows.size(); begin += batch_size) {
    const std::int64_t end = std::min(rows.size(), begin + batch_size);
    const auto inputs = internal::as_network_inputs(network, rows.batch(begin, end));
    const at::Tensor mean = internal::label_loss(executor.run(inputs, run), inputs, rows.labels.slice(0, begin, end), /*smoothing=*/0);
    // The sum, so that a row's gradients do not depend on how many there are.
    mean.mul(static_cast<double>(end - begin)).backward();
    for (GateGradients& layer : layers) {
      const at::Tensor& value = values.at(layer.value);
      const Node& node = network.nodes[static_cast<std::size_t>(layer.node)];
      layer.batches.push_back(summed_by_row(value.detach() * value.grad(), end - begin, channel_dimension(network, analysis, node)));
    }
  }
  return layers;
}

policies::Importance taylor_importance(const Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                       const ImportanceOptions& options) {
  return sum_over_layers(network, analysis, gate_gradients(network, analysis, rows, options.batch_size),
                         [](const at::Tensor& gradients) { return gradients.mean(0).square(); });
}

policies::Importance fisher_importance(const Network& network, const policies::CouplingAnalysis& analysis, const Rows& rows,
                                       const ImportanceOptions& options) {
  return sum_over_layers(network, analysis, gate_gradients(network, analysis, rows, options.batch_size),
                         [](const at::Tensor& gradients) { return gradients.square().mean(0) / 2; });
}

}  // namespace lathe::evaluators
