#include "policies/pruning_criterion.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "models/base/check.h"
#include "models/operators.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;

// Sum of absolute values of each slice along an axis.
std::vector<double> slice_norms(const Tensor& weights, std::size_t axis) {
  std::size_t inner = 1;
  for (std::size_t i = axis + 1; i < weights.shape().size(); ++i) inner *= static_cast<std::size_t>(weights.shape()[i]);
  const auto size = static_cast<std::size_t>(weights.shape()[axis]);
  std::vector<double> norms(size, 0.0);
  const std::vector<float> values = weights.to_floats();
  for (std::size_t i = 0; i < values.size(); ++i) norms[i / inner % size] += std::abs(static_cast<double>(values[i]));
  return norms;
}

// L1 norm of the filter of each output channel. A grouped ConvTranspose has weights [G * Ki, Ko, k...] for channels [G * Ko].
std::vector<double> filter_norms(const Network& network, const Node& node, const Tensor& weights) {
  const std::int64_t group = node.op == "ConvTranspose" ? models::int_attribute(node, "group", 1) : 1;
  if (group == 1) return slice_norms(weights, static_cast<std::size_t>(models::output_channel_axis(network, node)));
  const models::Shape& shape = weights.shape();
  const Tensor grouped = weights.reshaped({group, shape[0] / group, shape[1], weights.size() / (shape[0] * shape[1])});
  std::vector<double> norms;
  for (std::int64_t g = 0; g < group; ++g) {
    const std::vector<double> part = slice_norms(grouped.index_select(0, std::vector<std::int64_t>{g}), 2);
    norms.insert(norms.end(), part.begin(), part.end());
  }
  return norms;
}

// The layer's output channels as an axis.
const AxisExpression& output_channels(const Network& network, const CouplingAnalysis& analysis, const Node& node) {
  const auto& axes = analysis.axes[static_cast<std::size_t>(node.outputs[0])];
  if (node.op == "Conv" || node.op == "ConvTranspose") return axes.at(1);
  const bool is_left = node.op == "MatMul" && models::weight_input(network, node) == 0;
  const std::size_t from_last = is_left && network.value(node.inputs[1]).shape.size() > 1 ? 2 : 1;
  return axes.at(axes.size() - from_last);
}

// Adds the norm of each channel to the index that it stands for in each dimension of the axis.
void add_norms(const AxisExpression& axis, const std::vector<double>& norms, std::vector<std::vector<double>>& importance) {
  std::size_t offset = 0;
  for (const Segment& segment : axis) {
    std::size_t size = 1;
    for (const Factor& factor : segment) size *= static_cast<std::size_t>(factor.size);
    std::size_t stride = size;
    for (const Factor& factor : segment) {
      const auto extent = static_cast<std::size_t>(factor.size);
      stride /= extent;
      if (factor.group < 0) continue;
      std::vector<double>& scores = importance[static_cast<std::size_t>(factor.group)];
      for (std::size_t i = 0; i < size; ++i) scores[i / stride % extent] += norms[offset + i];
    }
    offset += size;
  }
  LATHE_CHECK_EQ(offset, norms.size());
}

}  // namespace

std::vector<std::vector<double>> l1_importance(const Network& network, const CouplingAnalysis& analysis) {
  std::vector<std::vector<double>> importance;
  for (const CouplingGroup& group : analysis.groups) importance.emplace_back(static_cast<std::size_t>(group.channels), 0.0);
  std::set<ValueId> counted;  // a layer that is used twice counts once
  for (const Node& node : network.nodes) {
    const int weight = models::weight_input(network, node);
    if (weight < 0) continue;
    const ValueId id = node.inputs[static_cast<std::size_t>(weight)];
    if (!counted.insert(id).second) continue;
    add_norms(output_channels(network, analysis, node), filter_norms(network, node, network.constants.at(id)), importance);
  }
  return importance;
}

std::vector<std::int64_t> most_important(const std::vector<double>& importance, std::int64_t count) {
  LATHE_CHECK(count >= 0 && count <= static_cast<std::int64_t>(importance.size())) << count << " of " << importance.size();
  std::vector<std::int64_t> order(importance.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    return importance[static_cast<std::size_t>(a)] > importance[static_cast<std::size_t>(b)];
  });
  order.resize(static_cast<std::size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

}  // namespace lathe::policies
