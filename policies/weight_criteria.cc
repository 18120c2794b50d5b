#include "policies/weight_criteria.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "models/base/rng.h"
#include "models/operators.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;
using Filters = std::vector<std::vector<float>>;

// The weights of each output channel. A grouped ConvTranspose has weights [G * Ki, Ko, k...] for channels [G * Ko].
Filters filters_of(const Network& network, const Node& layer, const Tensor& weights) {
  const models::Shape& shape = weights.shape();
  const auto axis = static_cast<std::size_t>(models::output_channel_axis(network, layer));
  const std::int64_t groups = layer.op == "ConvTranspose" ? models::int_attribute(layer, "group", 1) : 1;
  std::size_t inner = 1;
  for (std::size_t i = axis + 1; i < shape.size(); ++i) inner *= static_cast<std::size_t>(shape[i]);
  const auto size = static_cast<std::size_t>(shape[axis]);
  const std::vector<float> values = weights.to_floats();
  const std::size_t a_group = values.size() / static_cast<std::size_t>(groups);
  Filters filters(size * static_cast<std::size_t>(groups));
  for (std::size_t i = 0; i < values.size(); ++i) filters[i / a_group * size + i / inner % size].push_back(values[i]);
  return filters;
}

// Adds up score(filters of a layer) -> one score a filter. A layer that is used twice counts once.
template <typename Score>
Importance sum_over_layers(const Network& network, const CouplingAnalysis& analysis, Score score) {
  Importance importance = no_importance(analysis);
  std::set<ValueId> counted;
  for (const Node& node : network.nodes) {
    const int weight = models::weight_input(network, node);
    if (weight < 0) continue;
    const ValueId id = node.inputs[static_cast<std::size_t>(weight)];
    if (!counted.insert(id).second) continue;
    add_channel_scores(output_channels(network, analysis, node), score(filters_of(network, node, network.constants.at(id))), importance);
  }
  return importance;
}

std::vector<double> l1_norms(const Filters& filters) {
  std::vector<double> norms;
  for (const auto& filter : filters) {
    double sum = 0;
    for (const float w : filter) sum += std::abs(static_cast<double>(w));
    norms.push_back(sum);
  }
  return norms;
}

std::vector<double> l2_norms(const Filters& filters) {
  std::vector<double> norms;
  for (const auto& filter : filters) {
    double sum = 0;
    for (const double w : filter) sum += w * w;
    norms.push_back(std::sqrt(sum));
  }
  return norms;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

std::vector<double> summed_distances(const Filters& filters) {
  std::vector<double> sums(filters.size(), 0.0);
  for (std::size_t i = 0; i < filters.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double d = distance(filters[i], filters[j]);
      sums[i] += d;
      sums[j] += d;
    }
  }
  return sums;
}

}  // namespace

Importance l1_importance(const Network& network, const CouplingAnalysis& analysis) {
  return sum_over_layers(network, analysis, l1_norms);
}

Importance l2_importance(const Network& network, const CouplingAnalysis& analysis) {
  return sum_over_layers(network, analysis, l2_norms);
}

Importance fpgm_importance(const Network& network, const CouplingAnalysis& analysis) {
  return sum_over_layers(network, analysis, summed_distances);
}

Importance batch_norm_importance(const Network& network, const CouplingAnalysis& analysis) {
  Importance importance = no_importance(analysis);
  std::vector<bool> is_scored(analysis.groups.size(), false);
  for (const Node& node : network.nodes) {
    if (node.op != "BatchNormalization" || !network.is_constant(node.inputs[1])) continue;
    std::vector<double> scales;
    for (const double gamma : network.constants.at(node.inputs[1]).to_floats()) scales.push_back(std::abs(gamma));
    const AxisExpression& axis = analysis.axes[static_cast<std::size_t>(node.outputs[0])].at(1);
    add_channel_scores(axis, scales, importance);
    for_each_channel(axis, [&](std::size_t group, std::size_t, std::size_t) { is_scored[group] = true; });
  }
  const Importance otherwise = l1_importance(network, analysis);
  for (std::size_t g = 0; g < importance.size(); ++g) {
    if (!is_scored[g]) importance[g] = otherwise[g];
  }
  return importance;
}

Importance random_importance(const CouplingAnalysis& analysis, std::uint64_t seed) {
  Importance importance = no_importance(analysis);
  for (std::size_t g = 0; g < importance.size(); ++g) {
    Rng rng(seed, "random pruning criterion", g);
    for (double& score : importance[g]) score = rng.uniform();
  }
  return importance;
}

}  // namespace lathe::policies
