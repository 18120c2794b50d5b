#include "policies/channel_scores.h"

#include "models/base/check.h"
#include "models/operators.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;

// Of a value that a layer reads or makes: axis 1 of images; else the last one, or the one before it where the weight stands on the left.
const AxisExpression& channel_axis(const Network& network, const CouplingAnalysis& analysis, const Node& layer, models::ValueId value) {
  const auto& axes = analysis.axes[static_cast<std::size_t>(value)];
  if (layer.op == "Conv" || layer.op == "ConvTranspose") return axes.at(1);
  const bool is_left = layer.op == "MatMul" && models::weight_input(network, layer) == 0;
  const std::size_t from_last = is_left && network.value(layer.inputs[1]).shape.size() > 1 ? 2 : 1;
  return axes.at(axes.size() - from_last);
}

}  // namespace

Importance no_importance(const CouplingAnalysis& analysis) {
  Importance importance;
  for (const CouplingGroup& group : analysis.groups) importance.emplace_back(static_cast<std::size_t>(group.channels), 0.0);
  return importance;
}

const AxisExpression& output_channels(const Network& network, const CouplingAnalysis& analysis, const Node& layer) {
  return channel_axis(network, analysis, layer, layer.outputs[0]);
}

const AxisExpression& input_channels(const Network& network, const CouplingAnalysis& analysis, const Node& layer) {
  return channel_axis(network, analysis, layer, layer.inputs[models::weight_input(network, layer) == 0 ? 1 : 0]);
}

void add_channel_scores(const AxisExpression& axis, std::span<const double> scores, Importance& importance) {
  for_each_channel(axis, [&](std::size_t group, std::size_t index, std::size_t channel) {
    LATHE_CHECK_LT(channel, scores.size());
    importance[group][index] += scores[channel];
  });
}

}  // namespace lathe::policies
