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

const Node* only_reader(const Network& network, ValueId id) {
  if (uses(network, id) != 1) return nullptr;
  const auto reader = std::find_if(network.nodes.begin(), network.nodes.end(), [&](const Node& node) {
    return std::find(node.inputs.begin(), node.inputs.end(), id) != node.inputs.end();
  });
  return reader == network.nodes.end() ? nullptr : &*reader;
}

MeanOutlet mean_outlet(const Network& network, const Node& layer) {
  if (layer.inputs.size() > 2 && layer.inputs[2] != models::kNoValue) {
    const ValueId bias = layer.inputs[2];
    const bool is_own = network.is_constant(bias) && uses(network, bias) == 1 && network.value(bias).shape.size() == 1;
    return is_own ? MeanOutlet{bias, 1} : MeanOutlet{};
  }
  const Node* reader = only_reader(network, layer.outputs[0]);
  if (reader == nullptr) return {};
  if (reader->op == "BatchNormalization") {
    return uses(network, reader->inputs[3]) == 1 ? MeanOutlet{reader->inputs[3], -1} : MeanOutlet{};  // y - running mean
  }
  if (reader->op != "Add" || layer.op != "MatMul") return {};
  const ValueId added = reader->inputs[reader->inputs[0] == layer.outputs[0] ? 1 : 0];
  const models::Shape& outputs = network.value(layer.outputs[0]).shape;
  const bool is_bias = network.is_constant(added) && network.value(added).shape == models::Shape{outputs.back()};
  return is_bias && uses(network, added) == 1 ? MeanOutlet{added, 1} : MeanOutlet{};
}

void shift_mean(Network& network, const MeanOutlet& outlet, const at::Tensor& shift) {
  models::Tensor& constant = network.constants.at(outlet.constant);
  constant = models::from_torch((models::to_torch(constant).to(at::kDouble) + outlet.sign * shift).to(at::kFloat));
}

void shift_mean(const models::Executor& executor, const MeanOutlet& outlet, const at::Tensor& shift) {
  const at::Tensor constant = executor.constant(outlet.constant);
  constant.add_((outlet.sign * shift).to(constant.device()));
}

}  // namespace lathe::evaluators::internal
