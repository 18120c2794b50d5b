// What coupling analysis knows while it walks a network in topological order: for each axis of each value its expression, and whether
// the value is exactly zero at channels that are masked. The rules of the operators (coupling_rules.h) read and extend it.
//
// Why zero matters: pruned and masked network must agree. A weight's slice for a masked channel is zero, so what flows into a layer
// does not matter; but where two activations are contracted (query with key over the head width) or an axis is summed up, the masked
// channels count unless they are zero.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/axis_algebra.h"

namespace lathe::policies {

struct AxisState {
  Axis expression;
  bool is_zero = false;  // the value is exactly 0 wherever the index along this axis is a masked one
};
using ValueState = std::vector<AxisState>;  // one an axis

// The channels that a compressible layer makes and reads.
struct LayerAxes {
  int node;
  Axis output;
  Axis input;
};

class CouplingPropagation {
 public:
  explicit CouplingPropagation(const models::Network& network);

  const models::Network& network() const { return network_; }
  AxisAlgebra& algebra() { return algebra_; }
  const ValueState& state(models::ValueId id) const { return states_[static_cast<std::size_t>(id)]; }
  const std::vector<LayerAxes>& layers() const { return layers_; }

  // An axis of an operand; `axis` may be negative.
  const AxisState& at(models::ValueId id, std::int64_t axis) const;
  std::int64_t rank(models::ValueId id) const { return static_cast<std::int64_t>(state(id).size()); }
  std::int64_t extent_at(models::ValueId id, std::int64_t axis) const;
  // Whether masked channels along the axis are zero, or there is nothing prunable on it but a selection, which is never masked.
  bool zero_or_whole(const AxisState& axis);

  // Sets the axes of an output; checks rank and extents against the value's shape.
  void set(models::ValueId id, ValueState state);
  // The output's extent as an integer that nothing can be removed from.
  AxisState fixed_axis(models::ValueId id, std::int64_t axis, const std::string& reason);
  void freeze(models::ValueId id, std::int64_t axis, const std::string& reason);
  void freeze_all(models::ValueId id, const std::string& reason);
  // The same for axes that are not selections of positions: the operator takes what is there, and removed channels would be there as zeros.
  void freeze_channels(models::ValueId id, std::int64_t axis, const std::string& reason);
  void freeze_all_channels(models::ValueId id, const std::string& reason);
  // Records that `node` is a layer, where Lathe compresses it.
  void add_layer(const models::Node& node, const Axis& output, const Axis& input);
  // Two operands are multiplied and summed over these axes: one must be zero at masked channels, else both are frozen.
  void contract(const AxisState& a, const AxisState& b, const models::Node& node);

 private:
  const models::Network& network_;
  AxisAlgebra algebra_;
  std::vector<ValueState> states_;
  std::vector<LayerAxes> layers_;
};

// '"conv1" (Conv)', for reasons.
std::string quoted(const models::Node& node);
// Value of an integer constant; empty if the input is left out. The caller knows that it is a constant.
std::vector<std::int64_t> integers(const models::Network& network, models::ValueId id);
bool has_input(const models::Node& node, std::size_t index);
bool is_constant_input(const models::Network& network, const models::Node& node, std::size_t index);
// An axis attribute counted from the front.
std::size_t normalized_axis(std::int64_t axis, std::int64_t rank);

}  // namespace lathe::policies
