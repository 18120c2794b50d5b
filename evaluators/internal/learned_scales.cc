#include "evaluators/internal/learned_scales.h"

#include <ATen/core/Tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

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

// min(2 <|w|> / sqrt(Qp), max|w| / Qp) for each scale; a channel of zeros keeps the one it has.
std::vector<float> lsq_weight_scales(const models::Tensor& weight, std::int64_t axis, const policies::QuantizationParameters& parameters) {
  const std::vector<float> values = weight.to_floats();
  const std::size_t channels = parameters.scale.size();
  std::size_t inner = 1;
  for (std::int64_t i = axis + 1; axis >= 0 && i < weight.rank(); ++i)
    inner *= static_cast<std::size_t>(weight.shape()[static_cast<std::size_t>(i)]);
  std::vector<double> sum(channels), largest(channels);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t channel = axis < 0 ? 0 : i / inner % channels;
    const double magnitude = std::abs(values[i]);
    sum[channel] += magnitude;
    largest[channel] = std::max(largest[channel], magnitude);
  }
  const double level = largest_level(parameters), count = static_cast<double>(values.size()) / static_cast<double>(channels);
  std::vector<float> scales = parameters.scale;
  for (std::size_t c = 0; c < channels; ++c) {
    if (largest[c] > 0) scales[c] = static_cast<float>(std::min(2 * sum[c] / count / std::sqrt(level), largest[c] / level));
  }
  return scales;
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

Network with_fixed_scales(Network network) {
  for (Node& node : network.nodes) {
    node.attributes.erase("scale_gradient");
    node.attributes.erase("gradient_scale");
  }
  return network;
}

void keep_scales_positive(const models::Executor& executor) {
  constexpr float kSmallest = 1e-6F;
  const c10::NoGradGuard no_grad;
  for (const Node& node : executor.network().nodes) {
    if (models::learns_scale(node)) executor.constant(node.inputs[1]).clamp_min_(kSmallest);
  }
}

}  // namespace lathe::evaluators::internal
