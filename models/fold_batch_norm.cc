#include "models/fold_batch_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/operators.h"

namespace lathe::models {
namespace {

// BatchNormalization as y = x * scale + shift, by channel.
struct Affine {
  std::vector<double> scale, shift;
};

bool has_constant_parameters(const Network& network, const Node& node) {
  return node.inputs.size() == 5 &&
         std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](ValueId id) { return network.is_constant(id); });
}

Affine affine_of(const Network& network, const Node& node) {
  const auto parameter = [&](std::size_t input) { return network.constants.at(node.inputs[input]).to_floats(); };
  const std::vector<float> gamma = parameter(1), beta = parameter(2), mean = parameter(3), variance = parameter(4);
  const double epsilon = float_attribute(node, "epsilon", 1e-5f);
  Affine affine;
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    const double scale = gamma[c] / std::sqrt(variance[c] + epsilon);
    affine.scale.push_back(scale);
    affine.shift.push_back(beta[c] - mean[c] * scale);
  }
  return affine;
}

// Multiplies the slices of `weight` along its output channels. For a grouped ConvTranspose [in, out / group, k...] the channel is
// group index * (out / group) + index along axis 1.
Tensor scaled_weight(const Tensor& weight, std::int64_t axis, std::int64_t groups, const std::vector<double>& scale) {
  std::vector<float> values = weight.to_floats();
  const Shape& shape = weight.shape();
  std::int64_t inner = 1;
  for (std::size_t i = static_cast<std::size_t>(axis) + 1; i < shape.size(); ++i) inner *= shape[i];
  const std::int64_t extent = shape[static_cast<std::size_t>(axis)];
  const std::int64_t rows_of_group = axis == 1 ? shape[0] / groups : 0;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(values.size()); ++i) {
    const std::int64_t along = i / inner % extent;
    const std::int64_t group = rows_of_group > 0 ? i / (inner * extent) / rows_of_group : 0;
    values[static_cast<std::size_t>(i)] =
        static_cast<float>(values[static_cast<std::size_t>(i)] * scale[static_cast<std::size_t>(group * extent + along)]);
  }
  return Tensor::from<float>(shape, values);
}

// The layer's bias by channel: of a Gemm multiplied by beta. Empty where it cannot be written as one number a channel.
std::vector<double> bias_of(const Network& network, const Node& layer, std::size_t channels) {
  const bool has_bias = layer.inputs.size() > 2 && layer.inputs[2] != kNoValue;
  if (!has_bias) return std::vector<double>(channels, 0.0);
  const auto found = network.constants.find(layer.inputs[2]);
  if (found == network.constants.end()) return {};
  const Tensor& bias = found->second;
  const bool is_scalar = bias.size() == 1;
  const bool is_row = bias.rank() >= 1 && bias.shape().back() == bias.size() && static_cast<std::size_t>(bias.size()) == channels;
  if (!is_scalar && !is_row) return {};
  const double beta = layer.op == "Gemm" ? gemm_attributes(layer).beta : 1.0;
  const std::vector<float> stored = bias.to_floats();
  std::vector<double> values(channels);
  for (std::size_t c = 0; c < channels; ++c) values[c] = beta * stored[is_scalar ? 0 : c];
  return values;
}

// Whether the normalized axis 1 of `node` is the layer's output channels.
bool is_foldable(const Network& network, const Node& layer, const Node& node) {
  if (layer.op != "Conv" && layer.op != "ConvTranspose" && layer.op != "Gemm") return false;
  if (weight_input(network, layer) != 1 || network.value(layer.inputs[1]).type != DataType::kFloat32) return false;
  return has_constant_parameters(network, node);
}

}  // namespace

Network fold_batch_norm(const Network& network) {
  Network folded = network;
  const auto readers = consumers(network);
  const auto makers = producers(network);
  for (std::size_t i = 0; i < network.nodes.size(); ++i) {
    const Node& node = network.nodes[i];
    if (node.op != "BatchNormalization") continue;
    const ValueId between = node.inputs[0];
    const int maker = makers[static_cast<std::size_t>(between)];
    const bool is_output = std::find(network.outputs.begin(), network.outputs.end(), between) != network.outputs.end();
    if (maker < 0 || is_output || readers[static_cast<std::size_t>(between)].size() != 1) continue;
    const Node& layer = network.nodes[static_cast<std::size_t>(maker)];
    if (!is_foldable(network, layer, node)) continue;
    const Affine affine = affine_of(network, node);
    const std::vector<double> bias = bias_of(network, layer, affine.scale.size());
    if (bias.empty()) continue;

    const Tensor& weight = network.constants.at(layer.inputs[1]);
    const std::int64_t groups = layer.op == "ConvTranspose" ? int_attribute(layer, "group", 1) : 1;
    std::vector<float> shift(bias.size());
    for (std::size_t c = 0; c < shift.size(); ++c) shift[c] = static_cast<float>(bias[c] * affine.scale[c] + affine.shift[c]);

    // The weight may be shared with another layer: the folded one is a constant of its own, and takes the old name where it can.
    Node& target = folded.nodes[static_cast<std::size_t>(maker)];
    const Tensor scaled = scaled_weight(weight, output_channel_axis(network, layer), groups, affine.scale);
    if (readers[static_cast<std::size_t>(layer.inputs[1])].size() == 1) {
      folded.constants[layer.inputs[1]] = scaled;
    } else {
      target.inputs[1] = folded.add_constant(layer.name + ".folded_weight", scaled);
    }
    target.inputs.resize(3, kNoValue);
    target.inputs[2] =
        folded.add_constant(layer.name + ".folded_bias", Tensor::from<float>({static_cast<std::int64_t>(shift.size())}, shift));
    if (target.op == "Gemm") target.attributes.erase("beta");
    target.outputs[0] = node.outputs[0];
    folded.nodes[i].outputs.clear();  // dead: dropped below
  }
  return without_dead_nodes(std::move(folded));
}

}  // namespace lathe::models
