#include "policies/bias_alignment.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "models/operators.h"
#include "policies/operator_classes.h"
#include "policies/quantize_network.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;

constexpr std::int64_t kByteBits = 8;
// Biases are held to this many units, half of what int32 takes, so that the products have room beside them.
constexpr double kLargestBias = 1 << 30;

class Aligner {
 public:
  explicit Aligner(const Network& network) : result_(network) {
    for (const Node& node : network.nodes) {
      if (node.op == "FakeQuantize" && models::int_attribute(node, "bits", kByteBits) <= kByteBits) {
        (network.is_constant(node.inputs[0]) ? weight_scale_ : input_scale_)[node.outputs[0]] = node.inputs[1];
      } else if (!node.inputs.empty() && copies_elements(network, node)) {
        const auto scale = input_scale_.find(node.inputs[0]);
        if (scale == input_scale_.end()) continue;
        const ValueId copied = scale->second;
        for (const ValueId output : node.outputs) input_scale_[output] = copied;
      }
    }
  }

  Network run() && {
    // Scales first: a weight that two layers share has to suit both.
    for (const Node& node : result_.nodes) {
      if (is_integer_layer(node)) raise_scales(node);
    }
    for (Node& node : result_.nodes) {
      if (is_integer_layer(node)) round_bias(node);
    }
    return models::without_dead_nodes(std::move(result_));
  }

 private:
  bool is_integer_layer(const Node& node) const {
    return node.domain.empty() && (node.op == "Conv" || node.op == "Gemm") && input_scale_.contains(node.inputs[0]) &&
           weight_scale_.contains(node.inputs[1]) && plain_bias(result_, node) != nullptr;
  }

  double input_scale(const Node& layer) const { return result_.constants.at(input_scale_.at(layer.inputs[0])).values<float>()[0]; }

  void raise_scales(const Node& layer) {
    Tensor& tensor = result_.constants.at(weight_scale_.at(layer.inputs[1]));
    std::vector<float> scale = tensor.to_floats();
    const auto biases = plain_bias(result_, layer)->values<float>();
    bool is_changed = false;
    for (std::size_t i = 0; i < biases.size(); ++i) {
      const auto needed = static_cast<float>(std::abs(static_cast<double>(biases[i])) / (input_scale(layer) * kLargestBias));
      float& channel = scale[i % scale.size()];
      if (!(needed > channel)) continue;
      channel = needed;
      is_changed = true;
    }
    if (is_changed) tensor = Tensor::from<float>(tensor.shape(), scale);
  }

  void round_bias(Node& layer) {
    const auto scale = result_.constants.at(weight_scale_.at(layer.inputs[1])).values<float>();
    const Tensor& bias = *plain_bias(result_, layer);
    const auto s_input = static_cast<float>(input_scale(layer));
    std::vector<float> rounded(bias.values<float>().begin(), bias.values<float>().end());
    for (std::size_t i = 0; i < rounded.size(); ++i) {
      const double unit = s_input * scale[i % scale.size()];  // as it is stored: float32
      rounded[i] = static_cast<float>(std::nearbyint(static_cast<double>(rounded[i]) / unit) * unit);
    }
    Tensor tensor = Tensor::from<float>(bias.shape(), rounded);
    if (!(tensor == bias)) layer.inputs[2] = result_.add_constant(result_.value(layer.inputs[2]).name, std::move(tensor));
  }

  Network result_;
  std::map<ValueId, ValueId> input_scale_, weight_scale_;  // by the quantized value: the constant that holds its scale
};

}  // namespace

const Tensor* plain_bias(const Network& network, const Node& layer) {
  if (layer.inputs.size() < 3 || !network.is_constant(layer.inputs[2])) return nullptr;
  const Tensor& bias = network.constants.at(layer.inputs[2]);
  const models::Shape& output = network.value(layer.outputs[0]).shape;
  if (bias.rank() != 1 || bias.type() != models::DataType::kFloat32 || output.size() < 2 || bias.shape()[0] != output[1]) return nullptr;
  if (layer.op == "Gemm") {
    const models::GemmAttributes attributes = models::gemm_attributes(layer);
    if (attributes.alpha != 1 || attributes.beta != 1) return nullptr;
  }
  return &bias;
}

Network align_biases(const Network& network) {
  return Aligner(network).run();
}

}  // namespace lathe::policies
