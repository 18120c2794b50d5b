#include "policies/quantize_network.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "models/operators.h"
#include "policies/bias_alignment.h"
#include "policies/fake_quantize_node.h"
#include "policies/fresh_names.h"
#include "policies/layer_policies.h"
#include "policies/weight_formats.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;

// Rebuilds the list of nodes with FakeQuantize between.
class Inserter {
 public:
  Inserter(const Network& network, const Policy& policy, RangeMethod weight_method)
      : source_(network), layers_(layer_policies(network, policy)), weight_method_(weight_method), result_(network), names_(network) {
    result_.nodes.clear();
  }

  Network run(const ActivationPlan& plan, const std::vector<Range>& ranges) && {
    LATHE_CHECK_EQ(plan.points.size(), ranges.size());
    std::multimap<ValueId, std::size_t> points_of_value;
    for (std::size_t i = 0; i < plan.points.size(); ++i) points_of_value.emplace(plan.points[i].value, i);
    const auto add_points = [&](ValueId id) {
      const auto [begin, end] = points_of_value.equal_range(id);
      for (auto point = begin; point != end; ++point) add_activation(plan.points[point->second], ranges[point->second]);
    };
    for (const ValueId input : source_.inputs) add_points(input);
    for (std::size_t n = 0; n < source_.nodes.size(); ++n) {
      Node node = source_.nodes[n];
      for (ValueId& input : node.inputs) {
        const auto quantized = quantized_inputs_.find({static_cast<int>(n), input});
        if (quantized != quantized_inputs_.end()) input = quantized->second;
      }
      if (layers_[n] && layers_[n]->weight_bits <= 32) replace_weight(*layers_[n], node);
      const std::vector<ValueId> outputs = node.outputs;
      result_.nodes.push_back(std::move(node));
      for (const ValueId output : outputs) {
        if (output != models::kNoValue) add_points(output);
      }
    }
    return align_biases(models::without_dead_nodes(std::move(result_)));
  }

 private:
  void add_activation(const ActivationPlan::Point& point, Range range) {
    const ValueId quantized =
        point.is_dynamic ? append_dynamic_fake_quantize(result_, names_, point.value)
                         : append_fake_quantize(result_, names_, point.value, asymmetric(range, point.bits), /*axis=*/-1, point.bits);
    for (const int reader : point.readers) quantized_inputs_[{reader, point.value}] = quantized;
  }

  // A weight that several layers share is quantized once for each way in which they want it.
  void replace_weight(const LayerPolicy& layer, Node& node) {
    const int input = models::stored_input(source_, node);
    if (input < 0) return;
    ValueId& weight = node.inputs[static_cast<std::size_t>(input)];
    const std::int64_t axis = weight_scale_axis(source_, node, layer);
    const auto key = std::make_tuple(weight, layer.weight_format, layer.weight_bits, axis);
    const auto [found, is_new] = replaced_weights_.try_emplace(key, models::kNoValue);
    if (is_new) found->second = replacement(weight, layer, axis);
    weight = found->second;
  }

  ValueId replacement(ValueId weight, const LayerPolicy& layer, std::int64_t axis) {
    const Tensor& values = source_.constants.at(weight);
    if (layer.weight_format == "float" && layer.weight_bits == 32) return weight;
    if (layer.weight_format != "int") {
      return result_.add_constant(source_.value(weight).name, round_to_format(values, layer.weight_format, layer.weight_bits));
    }
    const bool searches = weight_method_ == RangeMethod::kMse;
    const auto parameters =
        searches ? symmetric_per_channel_mse(values, axis, layer.weight_bits) : symmetric_per_channel(values, axis, layer.weight_bits);
    return append_fake_quantize(result_, names_, weight, parameters, axis, layer.weight_bits);
  }

  const Network& source_;
  std::vector<const LayerPolicy*> layers_;
  RangeMethod weight_method_;
  Network result_;
  FreshNames names_;
  std::map<std::pair<int, ValueId>, ValueId> quantized_inputs_;  // (reader, value) -> what it reads instead
  std::map<std::tuple<ValueId, std::string, int, std::int64_t>, ValueId> replaced_weights_;
};

Tensor fake_quantized(const Network& network, const Node& node) {
  const Tensor& values = network.constants.at(node.inputs[0]);
  const std::int64_t axis = models::int_attribute(node, "axis", -1);
  const QuantizationParameters parameters = parameters_of(network, node);
  const std::vector<std::int32_t> levels = quantize(values, parameters, axis);
  std::int64_t inner = 1;
  for (std::int64_t i = axis + 1; axis >= 0 && i < values.rank(); ++i) inner *= values.shape()[static_cast<std::size_t>(i)];
  std::vector<float> result(levels.size());
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const std::size_t channel = axis < 0 ? 0 : i / static_cast<std::size_t>(inner) % parameters.scale.size();
    result[i] = static_cast<float>(levels[i] - parameters.zero_point[channel]) * parameters.scale[channel];
  }
  return Tensor::from<float>(values.shape(), result);
}

}  // namespace

QuantizationParameters parameters_of(const Network& network, const Node& fake_quantize) {
  QuantizationParameters parameters;
  parameters.scale = network.constants.at(fake_quantize.inputs[1]).to_floats();
  for (const std::int64_t zero_point : network.constants.at(fake_quantize.inputs[2]).to_int64s()) {
    parameters.zero_point.push_back(static_cast<std::int32_t>(zero_point));
  }
  parameters.quant_min = static_cast<int>(models::int_attribute(fake_quantize, "quant_min", 0));
  parameters.quant_max = static_cast<int>(models::int_attribute(fake_quantize, "quant_max", 255));
  return parameters;
}

Network insert_fake_quantize(const Network& network, const Policy& policy, const ActivationPlan& plan, const std::vector<Range>& ranges,
                             RangeMethod weight_method) {
  return Inserter(network, policy, weight_method).run(plan, ranges);
}

Network bake_weight_quantization(const Network& network) {
  Network result = network;
  result.nodes.clear();
  std::map<ValueId, ValueId> baked;
  for (const Node& node : network.nodes) {
    if (node.op == "FakeQuantize" && network.is_constant(node.inputs[0])) {
      const ValueId output = node.outputs[0];
      if (std::find(network.outputs.begin(), network.outputs.end(), output) == network.outputs.end()) {
        baked[output] = result.add_constant(network.value(output).name, fake_quantized(network, node));
        continue;
      }
    }
    result.nodes.push_back(node);
    for (ValueId& input : result.nodes.back().inputs) {
      if (const auto found = baked.find(input); found != baked.end()) input = found->second;
    }
  }
  return models::without_dead_nodes(std::move(result));
}

}  // namespace lathe::policies
