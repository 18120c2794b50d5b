#include "policies/fake_quantize_node.h"

#include <utility>

namespace lathe::policies {

using models::Network;
using models::Tensor;
using models::ValueId;

ValueId append_fake_quantize(Network& network, FreshNames& names, ValueId input, const QuantizationParameters& parameters,
                             std::int64_t axis, int bits) {
  const models::Shape shape = axis < 0 ? models::Shape{} : models::Shape{static_cast<std::int64_t>(parameters.scale.size())};
  const ValueId scale = network.add_constant(names.next(), Tensor::from<float>(shape, parameters.scale));
  const ValueId zero_point = network.add_constant(names.next(), Tensor::from<std::int32_t>(shape, parameters.zero_point));
  models::Value value = network.value(input);
  value.name = names.next();
  const ValueId output = network.add_value(std::move(value));
  network.nodes.push_back({.name = names.next(),
                           .op = "FakeQuantize",
                           .domain = models::kLatheDomain,
                           .inputs = {input, scale, zero_point},
                           .outputs = {output},
                           .attributes = {{"axis", axis},
                                          {"quant_min", static_cast<std::int64_t>(parameters.quant_min)},
                                          {"quant_max", static_cast<std::int64_t>(parameters.quant_max)},
                                          {"bits", static_cast<std::int64_t>(bits)}}});
  return output;
}

ValueId append_dynamic_fake_quantize(Network& network, FreshNames& names, ValueId input) {
  models::Value value = network.value(input);
  value.name = names.next();
  const ValueId output = network.add_value(std::move(value));
  network.nodes.push_back({.name = names.next(),
                           .op = "DynamicFakeQuantize",
                           .domain = models::kLatheDomain,
                           .inputs = {input},
                           .outputs = {output},
                           .attributes = {}});
  return output;
}

}  // namespace lathe::policies
