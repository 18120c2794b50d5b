// Networks drawn by hand for tests, with the coupling analysis that goes with them stated by the test, so that these tests depend on
// neither the importer nor the propagation.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/base/rng.h"
#include "models/network.h"
#include "policies/coupling_groups.h"

namespace lathe::policies {

class NetworkSketch {
 public:
  explicit NetworkSketch(models::Shape input_shape) {
    network_.name = "sketch";
    const models::ValueId input = network_.add_value({.name = "input", .shape = std::move(input_shape)});
    network_.inputs.push_back(input);
  }

  models::ValueId input() const { return network_.inputs.front(); }
  const models::Shape& shape(models::ValueId id) const { return network_.value(id).shape; }

  // Weights of both signs from a fixed stream.
  models::ValueId constant(const std::string& name, models::Shape shape) {
    Rng rng(1, name);
    std::vector<float> values(static_cast<std::size_t>(models::element_count(shape)));
    for (float& value : values) value = static_cast<float>(rng.normal());
    return network_.add_constant(name, models::Tensor::from<float>(std::move(shape), values));
  }

  models::ValueId add_constant(const std::string& name, models::Tensor tensor) { return network_.add_constant(name, std::move(tensor)); }

  models::ValueId node(const std::string& name, const std::string& op, std::vector<models::ValueId> inputs, models::Shape shape,
                       std::map<std::string, models::Attribute> attributes = {}) {
    const models::ValueId output = network_.add_value({.name = name + ":0", .shape = std::move(shape)});
    network_.nodes.push_back(
        {.name = name, .op = op, .domain = "", .inputs = std::move(inputs), .outputs = {output}, .attributes = std::move(attributes)});
    return output;
  }

  // 3x3 convolution with bias, padding 1; groups as said.
  models::ValueId conv(const std::string& name, models::ValueId x, std::int64_t out, std::int64_t stride = 1, std::int64_t group = 1) {
    models::Shape shape = this->shape(x);
    const std::int64_t in = shape[1];
    shape = {shape[0], out, (shape[2] + stride - 1) / stride, (shape[3] + stride - 1) / stride};
    const models::ValueId weight = constant(name + ".weight", {out, in / group, 3, 3});
    const models::ValueId bias = constant(name + ".bias", {out});
    return node(name, "Conv", {x, weight, bias}, shape,
                {{"kernel_shape", std::vector<std::int64_t>{3, 3}},
                 {"pads", std::vector<std::int64_t>{1, 1, 1, 1}},
                 {"strides", std::vector<std::int64_t>{stride, stride}},
                 {"group", group}});
  }

  models::ValueId unary(const std::string& name, const std::string& op, models::ValueId x) { return node(name, op, {x}, shape(x)); }
  models::ValueId add(const std::string& name, models::ValueId a, models::ValueId b) { return node(name, "Add", {a, b}, shape(a)); }

  // Global average pool, flatten and a Gemm with bias and transposed weight.
  models::ValueId head(models::ValueId x, std::int64_t classes) {
    const std::int64_t channels = shape(x)[1];
    const models::ValueId pooled = node("pool", "GlobalAveragePool", {x}, {shape(x)[0], channels, 1, 1});
    const models::ValueId flat = node("flatten", "Flatten", {pooled}, {shape(x)[0], channels}, {{"axis", std::int64_t{1}}});
    const models::ValueId weight = constant("fc.weight", {classes, channels}), bias = constant("fc.bias", {classes});
    return node("fc", "Gemm", {flat, weight, bias}, {shape(x)[0], classes}, {{"transB", std::int64_t{1}}});
  }

  models::Network finish(std::vector<models::ValueId> outputs) {
    network_.outputs = std::move(outputs);
    models::validate(network_);
    return network_;
  }

 private:
  models::Network network_;
};

// An analysis in which every axis is a plain number.
inline CouplingAnalysis plain_analysis(const models::Network& network) {
  CouplingAnalysis analysis;
  for (const models::Value& value : network.values) {
    std::vector<AxisExpression> axes;
    for (const std::int64_t extent : value.shape) axes.push_back({{Factor{.group = -1, .size = extent}}});
    analysis.axes.push_back(std::move(axes));
  }
  return analysis;
}

}  // namespace lathe::policies
