#include "models/fold_batch_norm.h"

#include <algorithm>
#include <cmath>
#include <limits>
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

// What a layer multiplies by: a constant, as it is or through a FakeQuantize.
struct LayerWeight {
  ValueId values = kNoValue;        // the constant
  const Node* quantizer = nullptr;  // null = none between
  bool is_shared = false;           // others read the constant or its quantized form too
};

// Quantized weights can be multiplied channel by channel where each output channel has a scale of its own and levels are symmetric: the
// scale takes the magnitude of the factor, the weights all of it, and the integers change sign at most.
bool can_scale_channels(const Network& network, const Node& layer, const Node& quantizer) {
  return layer.op != "ConvTranspose" && int_attribute(quantizer, "axis", -1) == output_channel_axis(network, layer) &&
         int_attribute(quantizer, "quant_min", 0) == -int_attribute(quantizer, "quant_max", 0);
}

class Folder {
 public:
  explicit Folder(const Network& network)
      : network_(network), readers_(consumers(network)), makers_(producers(network)), folded_(network) {}

  Network run() && {
    for (std::size_t i = 0; i < network_.nodes.size(); ++i) {
      if (network_.nodes[i].op == "BatchNormalization") fold(i);
    }
    return without_dead_nodes(std::move(folded_));
  }

 private:
  std::size_t count_readers(ValueId id) const { return readers_[static_cast<std::size_t>(id)].size(); }

  // The layer in front, if the normalized axis 1 of `node` is its output channels and nothing else reads them.
  int layer_before(const Node& node) const {
    const ValueId between = node.inputs[0];
    const int maker = makers_[static_cast<std::size_t>(between)];
    const bool is_output = std::find(network_.outputs.begin(), network_.outputs.end(), between) != network_.outputs.end();
    if (maker < 0 || is_output || count_readers(between) != 1 || !has_constant_parameters(network_, node)) return -1;
    const std::string& op = network_.nodes[static_cast<std::size_t>(maker)].op;
    return op == "Conv" || op == "ConvTranspose" || op == "Gemm" ? maker : -1;
  }

  // values = kNoValue where it cannot be folded into.
  LayerWeight weight_of(const Node& layer) const {
    if (network_.value(layer.inputs[1]).type != DataType::kFloat32) return {};
    if (weight_input(network_, layer) == 1) return {.values = layer.inputs[1], .is_shared = count_readers(layer.inputs[1]) != 1};
    const int maker = makers_[static_cast<std::size_t>(layer.inputs[1])];
    if (maker < 0) return {};
    const Node& quantizer = network_.nodes[static_cast<std::size_t>(maker)];
    const bool is_quantizer = quantizer.op == "FakeQuantize" && network_.is_constant(quantizer.inputs[0]);
    if (!is_quantizer || count_readers(layer.inputs[1]) != 1 || count_readers(quantizer.inputs[0]) != 1) return {};
    if (!can_scale_channels(network_, layer, quantizer)) return {};
    return {.values = quantizer.inputs[0], .quantizer = &quantizer};
  }

  void fold(std::size_t index) {
    const Node& node = network_.nodes[index];
    const int maker = layer_before(node);
    if (maker < 0) return;
    const Node& layer = network_.nodes[static_cast<std::size_t>(maker)];
    const LayerWeight weight = weight_of(layer);
    if (weight.values == kNoValue) return;
    const Affine affine = affine_of(network_, node);
    const std::vector<double> bias = bias_of(network_, layer, affine.scale.size());
    if (bias.empty()) return;

    Node& target = folded_.nodes[static_cast<std::size_t>(maker)];
    scale_weight(layer, weight, affine.scale, target);
    std::vector<float> shift(bias.size());
    for (std::size_t c = 0; c < shift.size(); ++c) shift[c] = static_cast<float>(bias[c] * affine.scale[c] + affine.shift[c]);
    target.inputs.resize(3, kNoValue);
    target.inputs[2] =
        folded_.add_constant(layer.name + ".folded_bias", Tensor::from<float>({static_cast<std::int64_t>(shift.size())}, shift));
    if (target.op == "Gemm") target.attributes.erase("beta");
    target.outputs[0] = node.outputs[0];
    folded_.nodes[index].outputs.clear();  // dead: dropped at the end
  }

  void scale_weight(const Node& layer, const LayerWeight& weight, const std::vector<double>& factors, Node& target) {
    const std::int64_t groups = layer.op == "ConvTranspose" ? int_attribute(layer, "group", 1) : 1;
    const Tensor scaled = scaled_weight(network_.constants.at(weight.values), output_channel_axis(network_, layer), groups, factors);
    // A shared weight stays for the others; the folded one is a constant of its own.
    if (weight.is_shared) {
      target.inputs[1] = folded_.add_constant(layer.name + ".folded_weight", scaled);
    } else {
      folded_.constants[weight.values] = scaled;
    }
    if (weight.quantizer == nullptr) return;
    Tensor& scale = folded_.constants.at(weight.quantizer->inputs[1]);
    std::vector<float> steps = scale.to_floats();
    for (std::size_t c = 0; c < steps.size(); ++c)
      steps[c] = std::max(static_cast<float>(steps[c] * std::abs(factors[c])), std::numeric_limits<float>::min());
    scale = Tensor::from<float>(scale.shape(), steps);
  }

  const Network& network_;
  std::vector<std::vector<int>> readers_;
  std::vector<int> makers_;
  Network folded_;
};

}  // namespace

Network fold_batch_norm(const Network& network) {
  return Folder(network).run();
}

}  // namespace lathe::models
