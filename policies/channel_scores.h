// From scores of a layer's channels to scores of coupling groups: a channel's score is added to the index that it stands for in each
// dimension of its axis, so that a group's scores are sums over all coupled layers.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "models/network.h"
#include "policies/coupling_groups.h"

namespace lathe::policies {

// Of each channel of each group (indexed as CouplingAnalysis::groups); channels of higher importance are kept. Only the order within a
// group counts.
using Importance = std::vector<std::vector<double>>;

Importance no_importance(const CouplingAnalysis& analysis);  // zeros

// Output channels of a layer (models::weight_input >= 0) as an axis, and the input channels that its weight multiplies.
const AxisExpression& output_channels(const models::Network& network, const CouplingAnalysis& analysis, const models::Node& layer);
const AxisExpression& input_channels(const models::Network& network, const CouplingAnalysis& analysis, const models::Node& layer);

// Calls visit(group, index within the group, index on the axis) for each dimension of each index of the axis.
template <typename Visit>
void for_each_channel(const AxisExpression& axis, Visit visit) {
  std::size_t offset = 0;
  for (const Segment& segment : axis) {
    std::size_t size = 1;
    for (const Factor& factor : segment) size *= static_cast<std::size_t>(factor.size);
    std::size_t stride = size;
    for (const Factor& factor : segment) {
      const auto extent = static_cast<std::size_t>(factor.size);
      stride /= extent;
      if (factor.group < 0) continue;
      for (std::size_t i = 0; i < size; ++i) visit(static_cast<std::size_t>(factor.group), i / stride % extent, offset + i);
    }
    offset += size;
  }
}

// scores: one for each index of the axis.
void add_channel_scores(const AxisExpression& axis, std::span<const double> scores, Importance& importance);

}  // namespace lathe::policies
