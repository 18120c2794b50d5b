#include "evaluators/internal/learned_scales.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "models/learned_scales.h"
#include "policies/quantize_network.h"

namespace lathe::evaluators::internal {
namespace {

using models::Network;
using models::Node;

bool is_quantizer(const Node& node) {
  return node.op == "FakeQuantize" && node.domain == models::kLatheDomain;
}

// Qp: of a symmetric weight 2^(b-1) - 1, of an activation with zero point 0 2^b - 1.
double largest_level(const policies::QuantizationParameters& parameters) {
  const int zero_point = parameters.zero_point.front();
  return std::max(parameters.quant_max - zero_point, zero_point - parameters.quant_min);
}

// Elements of a value that do not depend on the batch.
double elements_of_row(const models::Shape& shape) {
  double count = 1;
  for (const std::int64_t extent : shape) count *= extent == models::kDynamic ? 1.0 : static_cast<double>(extent);
  return count;
}

// The weights that share each scale.
std::vector<std::vector<float>> by_scale(const models::Tensor& weight, std::int64_t axis, std::size_t scales) {
  std::size_t inner = 1;
  for (std::int64_t i = axis + 1; axis >= 0 && i < weight.rank(); ++i)
    inner *= static_cast<std::size_t>(weight.shape()[static_cast<std::size_t>(i)]);
  const std::vector<float> values = weight.to_floats();
  std::vector<std::vector<float>> channels(scales);
  for (std::size_t i = 0; i < values.size(); ++i) channels[axis < 0 ? 0 : i / inner % scales].push_back(values[i]);
  return channels;
}

// min(2 <|w|> / sqrt(Qp), max|w| / Qp) for each scale; a channel of zeros keeps the one it has.
std::vector<float> lsq_weight_scales(const models::Tensor& weight, std::int64_t axis, const policies::QuantizationParameters& parameters) {
  const double level = largest_level(parameters);
  std::vector<float> scales = parameters.scale;
  const auto channels = by_scale(weight, axis, scales.size());
  for (std::size_t c = 0; c < channels.size(); ++c) {
    double sum = 0, largest = 0;
    for (const float w : channels[c]) {
      sum += std::abs(w);
      largest = std::max<double>(largest, std::abs(w));
    }
    const double mean = sum / static_cast<double>(channels[c].size());
    if (largest > 0) scales[c] = static_cast<float>(std::min(2 * mean / std::sqrt(level), largest / level));
  }
  return scales;
}

// max(|mean - 3 deviation|, |mean + 3 deviation|) / 2^(b-1) for each scale; a channel of zeros keeps the one it has.
std::vector<float> lsq_plus_weight_scales(const models::Tensor& weight, std::int64_t axis,
                                          const policies::QuantizationParameters& parameters) {
  std::vector<float> scales = parameters.scale;
  const auto channels = by_scale(weight, axis, scales.size());
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const auto count = static_cast<double>(channels[c].size());
    double sum = 0, squares = 0;
    for (const float w : channels[c]) sum += w;
    for (const float w : channels[c]) squares += (w - sum / count) * (w - sum / count);
    const double reach = std::abs(sum / count) + 3 * std::sqrt(squares / count);
    if (reach > 0) scales[c] = static_cast<float>(reach / (largest_level(parameters) + 1));  // of 2^(b-1) - 1 levels on each side
  }
  return scales;
}

// What the kernel takes for the zero point (models/kernels/learned_quantization.h).
std::int32_t learned_zero_point(const Network& network, const Node& node) {
  const float scale = network.constants.at(node.inputs[1]).to_floats()[0], offset = network.constants.at(node.inputs[3]).to_floats()[0];
  const policies::QuantizationParameters parameters = policies::parameters_of(network, node);
  return std::clamp(static_cast<std::int32_t>(std::nearbyint(-offset / scale)), parameters.quant_min, parameters.quant_max);
}

void learn_scale(Node& node, const char* rule, double gradient_scale) {
  node.attributes["scale_gradient"] = std::string(rule);
  node.attributes["gradient_scale"] = static_cast<float>(gradient_scale);
}

}  // namespace

Network with_lsq_scales(Network network) {
  for (Node& node : network.nodes) {
    if (!is_quantizer(node)) continue;
    const policies::QuantizationParameters parameters = policies::parameters_of(network, node);
    double elements = elements_of_row(network.value(node.inputs[0]).shape);
    if (const auto weight = network.constants.find(node.inputs[0]); weight != network.constants.end()) {
      models::Tensor& scale = network.constants.at(node.inputs[1]);
      scale = models::Tensor::from<float>(scale.shape(),
                                          lsq_weight_scales(weight->second, models::int_attribute(node, "axis", -1), parameters));
      elements /= static_cast<double>(parameters.scale.size());
    }
    learn_scale(node, "lsq", 1 / std::sqrt(elements * largest_level(parameters)));
  }
  return network;
}

Network with_pact_scales(Network network) {
  for (Node& node : network.nodes) {
    if (!is_quantizer(node) || network.is_constant(node.inputs[0])) continue;
    const policies::QuantizationParameters parameters = policies::parameters_of(network, node);
    const double level = largest_level(parameters);
    if (parameters.zero_point.front() == parameters.quant_min) learn_scale(node, "pact", 1 / (level * level));
  }
  return network;
}

Network with_lsq_plus_scales(Network network) {
  network = with_lsq_scales(std::move(network));
  for (Node& node : network.nodes) {
    if (!is_quantizer(node)) continue;
    const policies::QuantizationParameters parameters = policies::parameters_of(network, node);
    const models::Shape shape = network.constants.at(node.inputs[1]).shape();
    if (const auto weight = network.constants.find(node.inputs[0]); weight != network.constants.end()) {
      const auto scales = lsq_plus_weight_scales(weight->second, models::int_attribute(node, "axis", -1), parameters);
      network.constants.at(node.inputs[1]) = models::Tensor::from<float>(shape, scales);
    } else if (parameters.zero_point.front() > parameters.quant_min) {
      const float offset = -static_cast<float>(parameters.zero_point.front()) * parameters.scale.front();
      node.inputs.push_back(network.add_constant(node.name + "/offset", models::Tensor::from<float>(shape, std::vector<float>{offset})));
    }
  }
  return network;
}

Network with_fixed_scales(Network network) {
  bool has_offsets = false;
  for (Node& node : network.nodes) {
    if (models::learns_offset(node)) {
      has_offsets = true;
      models::Tensor& zero_point = network.constants.at(node.inputs[2]);
      zero_point = models::Tensor::from<std::int32_t>(zero_point.shape(), std::vector<std::int32_t>{learned_zero_point(network, node)});
      node.inputs.pop_back();
    }
    node.attributes.erase("scale_gradient");
    node.attributes.erase("gradient_scale");
  }
  return has_offsets ? models::without_dead_nodes(std::move(network)) : network;
}

std::map<models::ValueId, double> scale_step_factors(const Network& network) {
  constexpr double kLearningRates = 5;
  std::map<models::ValueId, double> factors;
  for (const Node& node : network.nodes) {
    if (!models::learns_scale(node)) continue;
    const std::vector<float> scales = network.constants.at(node.inputs[1]).to_floats();
    const double mean = std::accumulate(scales.begin(), scales.end(), 0.0) / static_cast<double>(scales.size());
    factors.emplace(node.inputs[1], kLearningRates * mean);
    // An offset moves by shares of the whole range, as the upper end does when the scale moves.
    if (models::learns_offset(node))
      factors.emplace(node.inputs[3], kLearningRates * mean * largest_level(policies::parameters_of(network, node)));
  }
  return factors;
}

void keep_scales_legal(const models::Executor& executor) {
  constexpr float kSmallest = 1e-6F;
  const c10::NoGradGuard no_grad;
  for (const Node& node : executor.network().nodes) {
    if (!models::learns_scale(node)) continue;
    at::Tensor scale = executor.constant(node.inputs[1]);
    scale.clamp_min_(kSmallest);
    if (!models::learns_offset(node)) continue;
    const double low = static_cast<double>(models::int_attribute(node, "quant_min", 0)),
                 high = static_cast<double>(models::int_attribute(node, "quant_max", 255));
    at::Tensor offset = executor.constant(node.inputs[3]);
    offset.copy_(at::maximum(at::minimum(offset, scale * -low), scale * -high));
  }
}

}  // namespace lathe::evaluators::internal
