#include "evaluators/bias_correction.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "evaluators/internal/mean_outlet.h"
#include "evaluators/internal/network_rows.h"
#include "models/base/check.h"
#include "models/executor.h"
#include "models/operators.h"

namespace lathe::evaluators {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

bool is_layer(const Node& node) {
  return node.op == "Conv" || node.op == "Gemm" || node.op == "MatMul";
}

// y by channel: axis 1 of a convolution, the last one of a product -> y with the channels last, and its mean.
at::Tensor channels_last(const Node& layer, const at::Tensor& y) {
  return layer.op == "Conv" ? y.movedim(1, -1) : y;
}
at::Tensor channel_means(const Node& layer, const at::Tensor& y) {
  return channels_last(layer, y).reshape({-1, layer.op == "Conv" ? y.size(1) : y.size(-1)}).mean(0, /*keepdim=*/false, at::kDouble);
}

std::map<std::string, at::Tensor> measure_means(const Network& network, const std::vector<at::Tensor>& inputs) {
  std::map<ValueId, const Node*> layers;
  models::RunOptions run;
  for (const Node& node : network.nodes) {
    if (!is_layer(node)) continue;
    layers[node.outputs[0]] = &node;
    run.observed.push_back(node.outputs[0]);
  }
  std::map<std::string, at::Tensor> means;
  run.observer = [&](ValueId id, const at::Tensor& y) { means[layers.at(id)->name] = channel_means(*layers.at(id), y); };
  models::Executor(network).run(inputs, run);
  return means;
}

}  // namespace

Network correct_biases(const Network& quantized, const Network& floating, const Rows& calibration, std::int64_t rows) {
  LATHE_CHECK_GT(calibration.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  const auto inputs = internal::as_network_inputs(floating, calibration.batch(0, std::min(rows, calibration.size())));
  const std::map<std::string, at::Tensor> wanted = measure_means(floating, inputs);

  const models::Executor executor(quantized);
  std::map<ValueId, std::pair<const Node*, internal::MeanOutlet>> layers;
  models::RunOptions run;
  for (const Node& node : executor.network().nodes) {
    if (!is_layer(node) || !wanted.contains(node.name)) continue;
    const internal::MeanOutlet outlet = internal::mean_outlet(executor.network(), node);
    if (outlet.constant == models::kNoValue) continue;
    layers[node.outputs[0]] = {&node, outlet};
    run.observed.push_back(node.outputs[0]);
  }
  run.observer = [&](ValueId id, const at::Tensor& y) {
    const auto& [layer, outlet] = layers.at(id);
    const at::Tensor shift = (wanted.at(layer->name) - channel_means(*layer, y)).to(at::kFloat);
    internal::shift_mean(executor, outlet, shift);
    // Layers behind read what the corrected one gives. A constant after the layer takes effect by itself.
    const bool is_own_bias = layer->inputs.size() > 2 && layer->inputs[2] == outlet.constant;
    if (is_own_bias) channels_last(*layer, y).add_(shift);
  };
  executor.run(inputs, run);
  return executor.snapshot();
}

}  // namespace lathe::evaluators
