#include "evaluators/weight_rounding.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/argsort.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <map>
#include <string>
#include <vector>

#include "evaluators/internal/input_moments.h"
#include "evaluators/internal/layer_inputs.h"
#include "evaluators/internal/mean_outlet.h"
#include "evaluators/internal/settle_inputs.h"
#include "evaluators/internal/weight_quantizer.h"
#include "models/base/check.h"
#include "policies/quantize_network.h"

namespace lathe::evaluators {
namespace {

using internal::LinearLayer;
using models::Network;
using models::Node;

class Rounding {
 public:
  Rounding(const Network& quantized, const Network& floating, const GptqOptions& options)
      : floating_(floating), options_(options), result_(quantized), nodes_(models::node_indices(quantized)) {}

  Network run(const Rows& calibration) && {
    std::vector<LinearLayer> layers;
    for (std::size_t n = 0; n < floating_.nodes.size(); ++n) {
      LinearLayer layer;
      if (!internal::as_linear_layer(floating_, static_cast<int>(n), layer)) continue;
      if (internal::weight_quantizer(result_, node_of(layer)) != nullptr) layers.push_back(layer);
    }
    const internal::MomentOptions moment_options{.rows = options_.rows, .positions = options_.positions, .batch_size = options_.batch_size};
    for (const auto& measured : internal::measure_input_moments(floating_, layers, calibration, moment_options)) round(measured);
    return std::move(result_);
  }

 private:
  const Node& node_of(const LinearLayer& layer) const {
    return result_.nodes[static_cast<std::size_t>(nodes_.at(floating_.nodes[static_cast<std::size_t>(layer.node)].name))];
  }

  void round(const internal::InputMoments& measured) {
    const Node& layer = node_of(measured.layer);
    const Node& quantizer = *internal::weight_quantizer(result_, layer);
    const policies::QuantizationParameters parameters = policies::parameters_of(result_, quantizer);
    const internal::MeanOutlet outlet = internal::mean_outlet(result_, layer);
    const bool has_outlet = outlet.constant != models::kNoValue;
    const at::Tensor weight = internal::weight_matrix(floating_, measured.layer);
    const std::vector<double> scales(parameters.scale.begin(), parameters.scale.end());
    const at::Tensor scale = at::tensor(scales, at::kDouble).view({-1, 1});
    LATHE_CHECK(scale.size(0) == 1 || scale.size(0) == weight.size(0)) << layer.name << ": scales do not lie along the outputs";
    const at::Tensor moments = internal::second_moments(measured, /*is_centred=*/has_outlet);
    const at::Tensor rounded = gptq(weight, scale, moments, parameters.quant_min, parameters.quant_max, options_.damping);
    if (!rounded.defined()) return;
    result_.constants.at(quantizer.inputs[0]) = internal::as_weight(floating_, measured.layer, rounded);
    if (has_outlet) internal::shift_mean(result_, outlet, at::mv(weight - rounded, measured.mean));
  }

  const Network& floating_;
  const GptqOptions& options_;
  Network result_;
  const std::map<std::string, int> nodes_;  // of result_, by name
};

}  // namespace

at::Tensor gptq(const at::Tensor& weight, const at::Tensor& scale, const at::Tensor& moments, int quant_min, int quant_max,
                double damping) {
  const at::Tensor order = at::argsort(moments.diagonal(), /*dim=*/0, /*descending=*/true);
  return internal::settle_inputs(weight, moments, order, damping, [&](const internal::UnsettledInputs& inputs) {
    const at::Tensor column = inputs.weight.narrow(1, inputs.next, 1);
    const at::Tensor is_pruned = weight.index_select(1, order.narrow(0, inputs.next, 1)) == 0;
    return (column / scale).round_().clamp_(quant_min, quant_max).mul_(scale).masked_fill_(is_pruned, 0);
  });
}

Network round_weights_by_gptq(const Network& quantized, const Network& floating, const Rows& calibration, const GptqOptions& options) {
  LATHE_CHECK_GT(calibration.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  return Rounding(quantized, floating, options).run(calibration);
}

}  // namespace lathe::evaluators
