#include "policies/fake_quantize_node.h"

#include <utility>

namespace lathe::policies {

using models::Network;
using models::Tensor;
using models::ValueId;

namespace {

// Gives the node its names, its domain and an output like its first input.
ValueId append_quantizer(Network& network, FreshNames& names, models::Node node) {
  models::Value value = network.value(node.inputs[0]);
  value.name = names.next();
  const ValueId output = network.add_value(std::move(value));
  node.name = names.next();
  node.domain = models::kLatheDomain;
  node.outputs = {output};
  network.nodes.push_back(std::move(node));
  return output;
}

}  // namespace

ValueId append_fake_quantize(Network& network, FreshNames& names, ValueId input, const QuantizationParameters& parameters,
                             std::int64_t axis, int bits) {
  const models::Shape shape = axis < 0 ? models::Shape{} : models::Shape{static_cast<std::int64_t>(parameters.scale.size())};
  const ValueId scale = network.add_constant(names.next(), Tensor::from<float>(shape, parameters.scale));
  const ValueId zero_point = network.add_constant(names.next(), Tensor::from<std::int32_t>(shape, parameters.zero_point));
  return append_quantizer(network, names,
                          {.op = "FakeQuantize",
                           .inputs = {input, scale, zero_point},
                           .attributes = {{"axis", axis},
                                          {"quant_min", static_cast<std::int64_t>(parameters.quant_min)},
                                          {"quant_max", static_cast<std::int64_t>(parameters.quant_max)},
                                          {"bits", static_cast<std::int64_t>(bits)}}});
}

ValueId append_dynamic_fake_quantize(Network& network, FreshNames& names, ValueId input) {
  return append_quantizer(network, names, {.op = "DynamicFakeQuantize", .inputs = {input}, .attributes = {}});
}

}  // namespace lathe::policies
