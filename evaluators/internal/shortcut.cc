#include "evaluators/internal/shortcut.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>

#include "evaluators/internal/mean_outlet.h"
#include "models/executor.h"

namespace lathe::evaluators::internal {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

at::Tensor scale_of(const Network& network, const Node& batch_norm) {
  const auto parameter = [&](std::size_t input) { return models::to_torch(network.constants.at(batch_norm.inputs[input])); };
  return parameter(1) / (parameter(4) + static_cast<double>(models::float_attribute(batch_norm, "epsilon", 1e-5F))).sqrt();
}

}  // namespace

Shortcut shortcut_of(const Network& network, const Node& layer) {
  ValueId output = layer.outputs[0];
  const Node* reader = only_reader(network, output);
  at::Tensor gain;
  if (reader != nullptr && reader->op == "BatchNormalization") {
    gain = scale_of(network, *reader);
    output = reader->outputs[0];
    reader = only_reader(network, output);
  }
  if (reader == nullptr || reader->op != "Add" || reader->inputs[0] == reader->inputs[1]) return {};
  const ValueId other = reader->inputs[reader->inputs[0] == output ? 1 : 0];
  const models::Shape& shape = network.value(output).shape;
  if (network.is_constant(other) || network.value(other).shape != shape) return {};
  if (!gain.defined()) gain = at::ones({layer.op == "Conv" ? shape[1] : shape.back()});
  if ((gain == 0).any().item<bool>()) return {};
  return {.value = other, .gain = gain};
}

}  // namespace lathe::evaluators::internal
