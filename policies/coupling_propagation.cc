#include "policies/coupling_propagation.h"

#include "models/base/check.h"
#include "models/operators.h"
#include "policies/mask_fill.h"

namespace lathe::policies {

using models::Network;
using models::Node;
using models::ValueId;

CouplingPropagation::CouplingPropagation(const Network& network) : network_(network), states_(network.values.size()) {
  for (const ValueId id : network.inputs) {
    ValueState state;
    for (const std::int64_t size : network.value(id).shape) {
      state.push_back({.expression = algebra_.fixed(size, "network input \"" + network.value(id).name + "\""), .is_zero = false});
    }
    states_[static_cast<std::size_t>(id)] = std::move(state);
  }
  const std::vector<MaskFill> fills = mask_fills(network);
  for (const auto& [id, tensor] : network.constants) {
    ValueState state;
    const bool is_zero = fills[static_cast<std::size_t>(id)] == MaskFill::kZero;
    for (const std::int64_t size : tensor.shape()) state.push_back({.expression = algebra_.fresh(size), .is_zero = is_zero});
    states_[static_cast<std::size_t>(id)] = std::move(state);
  }
}

const AxisState& CouplingPropagation::at(ValueId id, std::int64_t axis) const {
  const ValueState& axes = state(id);
  return axes.at(normalized_axis(axis, static_cast<std::int64_t>(axes.size())));
}

std::int64_t CouplingPropagation::extent_at(ValueId id, std::int64_t axis) const {
  return extent(at(id, axis).expression);
}

bool CouplingPropagation::zero_or_whole(const AxisState& axis) {
  return axis.is_zero || !algebra_.has_prunable(axis.expression) || algebra_.is_selection(axis.expression);
}

void CouplingPropagation::set(ValueId id, ValueState state) {
  if (id == models::kNoValue) return;
  const models::Value& value = network_.value(id);
  LATHE_CHECK_EQ(state.size(), value.shape.size()) << "rank of '" << value.name << "'";
  for (std::size_t i = 0; i < state.size(); ++i) {
    const std::int64_t size = extent(state[i].expression);
    const bool depends_on_batch = size == models::kDynamic || value.shape[i] == models::kDynamic;
    if (size != value.shape[i] && depends_on_batch) {  // shape inference knew more, or less, of the batch than the rules do
      algebra_.freeze(state[i].expression, "mixed with the batch in \"" + value.name + "\"");
      state[i] = fixed_axis(id, static_cast<std::int64_t>(i), "batch");
      continue;
    }
    LATHE_CHECK_EQ(size, value.shape[i]) << "axis " << i << " of '" << value.name << "'";
  }
  states_[static_cast<std::size_t>(id)] = std::move(state);
}

AxisState CouplingPropagation::fixed_axis(ValueId id, std::int64_t axis, const std::string& reason) {
  const models::Shape& shape = network_.value(id).shape;
  const std::size_t index = normalized_axis(axis, static_cast<std::int64_t>(shape.size()));
  return {.expression = algebra_.fixed(shape[index], reason), .is_zero = false};
}

void CouplingPropagation::freeze(ValueId id, std::int64_t axis, const std::string& reason) {
  algebra_.freeze(at(id, axis).expression, reason);
}

void CouplingPropagation::freeze_all(ValueId id, const std::string& reason) {
  for (const AxisState& axis : state(id)) algebra_.freeze(axis.expression, reason);
}

void CouplingPropagation::freeze_channels(ValueId id, std::int64_t axis, const std::string& reason) {
  if (!algebra_.is_selection(at(id, axis).expression)) freeze(id, axis, reason);
}

void CouplingPropagation::freeze_all_channels(ValueId id, const std::string& reason) {
  for (const AxisState& axis : state(id)) {
    if (!algebra_.is_selection(axis.expression)) algebra_.freeze(axis.expression, reason);
  }
}

void CouplingPropagation::add_layer(const Node& node, const Axis& output, const Axis& input) {
  if (models::weight_input(network_, node) < 0) return;
  layers_.push_back({.node = static_cast<int>(&node - network_.nodes.data()), .output = output, .input = input});
}

void CouplingPropagation::contract(const AxisState& a, const AxisState& b, const Node& node) {
  algebra_.unify(a.expression, b.expression, "cut or grouped in another way than " + quoted(node) + " reads it");
  if (zero_or_whole(a) || zero_or_whole(b)) return;
  algebra_.freeze(a.expression, "summed over by " + quoted(node) + ", where a removed channel might not be zero");
}

std::string quoted(const Node& node) {
  return "\"" + node.name + "\" (" + node.op + ")";
}

std::vector<std::int64_t> integers(const Network& network, ValueId id) {
  return id == models::kNoValue ? std::vector<std::int64_t>{} : network.constants.at(id).to_int64s();
}

bool has_input(const Node& node, std::size_t index) {
  return index < node.inputs.size() && node.inputs[index] != models::kNoValue;
}

bool is_constant_input(const Network& network, const Node& node, std::size_t index) {
  return has_input(node, index) && network.is_constant(node.inputs[index]);
}

std::size_t normalized_axis(std::int64_t axis, std::int64_t rank) {
  const std::int64_t index = axis < 0 ? axis + rank : axis;
  LATHE_CHECK(0 <= index && index < rank) << "axis " << axis << " of a value of rank " << rank;
  return static_cast<std::size_t>(index);
}

}  // namespace lathe::policies
