#include "evaluators/internal/output_path.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "evaluators/internal/mean_outlet.h"
#include "models/executor.h"

namespace lathe::evaluators::internal {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

// The other operand of the Add, where it is computed and of the same shape.
ValueId other_operand(const Network& network, const Node& add, ValueId output) {
  if (add.inputs[0] == add.inputs[1]) return models::kNoValue;
  const ValueId other = add.inputs[add.inputs[0] == output ? 1 : 0];
  return network.is_constant(other) || network.value(other).shape != network.value(output).shape ? models::kNoValue : other;
}

// Whether the bias is one constant an output, or there is none.
bool has_plain_bias(const Network& network, const Node& layer, std::int64_t outputs) {
  if (layer.inputs.size() < 3 || layer.inputs[2] == models::kNoValue) return true;
  return network.is_constant(layer.inputs[2]) && network.value(layer.inputs[2]).shape == models::Shape{outputs};
}

}  // namespace

OutputPath output_path(const Network& network, const Node& layer) {
  ValueId output = layer.outputs[0];
  const models::Shape& shape = network.value(output).shape;
  const std::int64_t outputs = layer.op == "Conv" ? shape[1] : shape.back();
  if (!has_plain_bias(network, layer, outputs)) return {};
  const auto constant = [&](const Node& node, std::size_t input) { return models::to_torch(network.constants.at(node.inputs[input])); };
  OutputPath path{.gain = at::ones({outputs}), .offset = at::zeros({outputs})};
  if (layer.inputs.size() > 2 && layer.inputs[2] != models::kNoValue) path.offset = constant(layer, 2);
  const Node* reader = only_reader(network, output);
  if (reader != nullptr && reader->op == "BatchNormalization") {
    const double epsilon = static_cast<double>(models::float_attribute(*reader, "epsilon", 1e-5F));
    path.gain = constant(*reader, 1) / (constant(*reader, 4) + epsilon).sqrt();
    if ((path.gain == 0).any().item<bool>()) return {};
    path.offset = path.offset - constant(*reader, 3) + constant(*reader, 2) / path.gain;
    output = reader->outputs[0];
    reader = only_reader(network, output);
  }
  if (reader != nullptr && reader->op == "Add") {
    path.shortcut = other_operand(network, *reader, output);
    if (path.shortcut == models::kNoValue) return path;
    reader = only_reader(network, reader->outputs[0]);
  }
  path.is_rectified = reader != nullptr && reader->op == "Relu";
  return path;
}

}  // namespace lathe::evaluators::internal
