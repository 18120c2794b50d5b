#include "evaluators/internal/mean_outlet.h"

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "models/executor.h"

namespace lathe::evaluators::internal {

using models::Network;
using models::Node;
using models::ValueId;

std::int64_t uses(const Network& network, ValueId id) {
  std::int64_t count = std::count(network.outputs.begin(), network.outputs.end(), id);
  for (const Node& node : network.nodes) count += std::count(node.inputs.begin(), node.inputs.end(), id);
  return count;
}

MeanOutlet mean_outlet(const Network& network, const Node& layer) {
  if (layer.inputs.size() > 2 && layer.inputs[2] != models::kNoValue) {
    const ValueId bias = layer.inputs[2];
    const bool is_own = network.is_constant(bias) && uses(network, bias) == 1 && network.value(bias).shape.size() == 1;
    return is_own ? MeanOutlet{bias, 1} : MeanOutlet{};
  }
  if (uses(network, layer.outputs[0]) != 1) return {};
  const auto reader = std::find_if(network.nodes.begin(), network.nodes.end(),
                                   [&](const Node& next) { return !next.inputs.empty() && next.inputs[0] == layer.outputs[0]; });
  if (reader == network.nodes.end() || reader->op != "BatchNormalization" || uses(network, reader->inputs[3]) != 1) return {};
  return {reader->inputs[3], -1};  // y - running mean
}

void shift_mean(Network& network, const MeanOutlet& outlet, const at::Tensor& shift) {
  models::Tensor& constant = network.constants.at(outlet.constant);
  constant = models::from_torch((models::to_torch(constant).to(at::kDouble) + outlet.sign * shift).to(at::kFloat));
}

}  // namespace lathe::evaluators::internal
