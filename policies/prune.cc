#include "policies/prune.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <string>

#include "models/base/check.h"
#include "policies/token_selection.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Network;
using models::Node;
using models::Tensor;
using models::ValueId;

class Pruner {
 public:
  Pruner(const Network& network, const CouplingAnalysis& analysis, const KeptChannels& kept)
      : before_(network), analysis_(analysis), kept_(kept), result_(network) {
    LATHE_CHECK_EQ(kept.size(), analysis.groups.size());
    LATHE_CHECK_EQ(analysis.axes.size(), network.values.size()) << "the analysis is of another network";
    for (std::size_t g = 0; g < kept.size(); ++g) {
      check_kept(g);
      counts_.push_back(kept[g].empty() ? analysis.groups[g].channels : static_cast<std::int64_t>(kept[g].size()));
    }
  }

  Network run() {
    for (const auto& [id, tensor] : before_.constants) slice_constant(id, tensor);
    for (Node& node : result_.nodes) rewrite(node);
    for (std::size_t id = 0; id < before_.values.size(); ++id) {
      models::Shape& shape = result_.values[id].shape;
      for (std::size_t i = 0; i < analysis_.axes[id].size() && !before_.is_constant(static_cast<ValueId>(id)); ++i) {
        shape[i] = evaluate(analysis_.axes[id][i], counts_);
      }
    }
    return lower_token_selections(std::move(result_));
  }

 private:
  void check_kept(std::size_t g) const {
    const CouplingGroup& group = analysis_.groups[g];
    const std::vector<std::int64_t>& kept = kept_[g];
    LATHE_CHECK(group.prunable || kept.empty() || static_cast<std::int64_t>(kept.size()) == group.channels)
        << group.name << " cannot be pruned";
    LATHE_CHECK(std::adjacent_find(kept.begin(), kept.end(), std::greater_equal<>()) == kept.end()) << group.name << ": not ascending";
    LATHE_CHECK(kept.empty() || (kept.front() >= 0 && kept.back() < group.channels)) << group.name << ": index out of range";
  }

  const AxisExpression& axis(ValueId id, std::size_t index) const { return analysis_.axes[static_cast<std::size_t>(id)].at(index); }
  std::size_t rank(ValueId id) const { return analysis_.axes[static_cast<std::size_t>(id)].size(); }
  std::vector<std::int64_t> kept_along(const AxisExpression& expression) const { return kept_indices(expression, analysis_, kept_); }

  // Whether an axis becomes shorter.
  bool shrinks(ValueId id, std::size_t index) const { return evaluate(axis(id, index), counts_) != before_.value(id).shape[index]; }

  // How many of the first `bound` indices stay.
  std::int64_t kept_below(const AxisExpression& expression, std::int64_t bound) const {
    const std::vector<std::int64_t> indices = kept_along(expression);
    return std::lower_bound(indices.begin(), indices.end(), bound) - indices.begin();
  }

  void slice_constant(ValueId id, const Tensor& tensor) {
    Tensor sliced = tensor;
    for (std::size_t i = 0; i < rank(id); ++i) {
      if (shrinks(id, i)) sliced = sliced.index_select(static_cast<std::int64_t>(i), kept_along(axis(id, i)));
    }
    replace(id, std::move(sliced));
  }

  void replace(ValueId id, Tensor tensor) {
    result_.values[static_cast<std::size_t>(id)].shape = tensor.shape();
    result_.constants[id] = std::move(tensor);
  }

  // Gives input `index` of a node new integers: in place where nothing else reads them.
  void set_integers(Node& node, std::size_t index, const std::vector<std::int64_t>& values) {
    const Tensor tensor = Tensor::int64s(values);
    while (node.inputs.size() <= index) node.inputs.push_back(models::kNoValue);
    ValueId& id = node.inputs[index];
    if (id != models::kNoValue && result_.is_constant(id) && uses(id) == 1) return replace(id, tensor);
    const std::string name = id == models::kNoValue ? node.name + "_sizes" : result_.value(id).name;
    id = result_.add_constant(name, tensor);
  }

  std::int64_t uses(ValueId id) const {
    std::int64_t count = std::count(result_.outputs.begin(), result_.outputs.end(), id);
    for (const Node& node : result_.nodes) count += std::count(node.inputs.begin(), node.inputs.end(), id);
    return count;
  }

  void rewrite(Node& node) {
    if (node.op == "Conv" || node.op == "ConvTranspose") rewrite_groups(node);
    if (node.op == "Reshape" || node.op == "Expand") rewrite_target(node);
    if (node.op == "Split") rewrite_split(node);
    if (node.op == "Slice") rewrite_slice(node);
    if (node.op == "Pad") rewrite_pad(node);
    if (node.op == "Resize") rewrite_resize(node);
    if (node.op == "Gather") rewrite_gather(node);
  }

  // Channels read are group * channels of a group; Conv's weights [out, per group, ...], ConvTranspose's [in, out per group, ...].
  void rewrite_groups(Node& node) {
    if (models::int_attribute(node, "group", 1) == 1) return;
    const bool is_conv = node.op == "Conv";
    const std::int64_t channels = is_conv ? evaluate(axis(node.inputs[0], 1), counts_) : evaluate(axis(node.outputs[0], 1), counts_);
    node.attributes["group"] = channels / evaluate(axis(node.inputs[1], 1), counts_);
  }

  void rewrite_target(Node& node) {
    const ValueId y = node.outputs[0];
    bool changes = false;
    for (std::size_t i = 0; i < rank(y); ++i) changes = changes || shrinks(y, i);
    if (!changes) return;
    std::vector<std::int64_t> target = before_.constants.at(node.inputs[1]).to_int64s();
    const std::size_t offset = rank(y) - target.size();  // Expand's target may be of lower rank
    for (std::size_t i = 0; i < target.size(); ++i) {
      const std::int64_t size = evaluate(axis(y, offset + i), counts_);
      const bool stays = size == kDynamic || (node.op == "Expand" && target[i] == 1);
      if (!stays) target[i] = size;
    }
    set_integers(node, 1, target);
  }

  static std::size_t axis_of(const Node& node, std::size_t rank) {
    const std::int64_t axis = models::int_attribute(node, "axis", 0);
    return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
  }

  void rewrite_split(Node& node) {
    const std::size_t along = axis_of(node, rank(node.inputs[0]));
    if (!shrinks(node.inputs[0], along)) return;
    std::vector<std::int64_t> sizes;
    for (const ValueId part : node.outputs) sizes.push_back(evaluate(axis(part, along), counts_));
    node.attributes.erase("num_outputs");
    set_integers(node, 1, sizes);
  }

  void rewrite_slice(Node& node) {
    const ValueId x = node.inputs[0];
    const auto integers = [&](std::size_t k) { return before_.constants.at(node.inputs[k]).to_int64s(); };
    if (!before_.is_constant(node.inputs[1]) || !before_.is_constant(node.inputs[2])) return;
    std::vector<std::int64_t> starts = integers(1), ends = integers(2), axes(starts.size()), steps(starts.size(), 1);
    std::iota(axes.begin(), axes.end(), 0);
    if (node.inputs.size() > 3 && node.inputs[3] != models::kNoValue) axes = integers(3);
    if (node.inputs.size() > 4 && node.inputs[4] != models::kNoValue) steps = integers(4);
    bool changes = false;
    for (std::size_t k = 0; k < axes.size(); ++k) {
      const auto along = static_cast<std::size_t>(axes[k] < 0 ? axes[k] + static_cast<std::int64_t>(rank(x)) : axes[k]);
      if (!shrinks(x, along)) continue;
      changes = true;
      const std::int64_t size = before_.value(x).shape[along];
      const auto bound = [&](std::int64_t index) { return std::clamp<std::int64_t>(index < 0 ? index + size : index, 0, size); };
      // With a step the whole axis is read, [K * step]: it starts within the first step and ends at the end.
      starts[k] = steps[k] == 1 ? kept_below(axis(x, along), bound(starts[k])) : bound(starts[k]);
      ends[k] = steps[k] == 1 ? kept_below(axis(x, along), bound(ends[k])) : evaluate(axis(x, along), counts_);
    }
    if (!changes) return;
    set_integers(node, 1, starts);
    set_integers(node, 2, ends);
  }

  // The output axis is [before][x][after].
  void rewrite_pad(Node& node) {
    const ValueId x = node.inputs[0], y = node.outputs[0];
    bool changes = false;
    for (std::size_t i = 0; i < rank(y); ++i) changes = changes || shrinks(y, i);
    if (!changes) return;
    std::vector<std::int64_t> pads = before_.constants.at(node.inputs[1]).to_int64s();
    for (std::size_t i = 0; i < rank(y); ++i) {
      if (!shrinks(y, i)) continue;
      pads[i] = kept_below(axis(y, i), pads[i]);
      pads[i + rank(y)] = evaluate(axis(y, i), counts_) - evaluate(axis(x, i), counts_) - pads[i];
    }
    set_integers(node, 1, pads);
  }

  // Only `sizes` names channels; scales of 1 stay.
  void rewrite_resize(Node& node) {
    if (node.inputs.size() < 4 || node.inputs[3] == models::kNoValue || !shrinks(node.outputs[0], 1)) return;
    std::vector<std::int64_t> sizes = before_.constants.at(node.inputs[3]).to_int64s();
    sizes[1] = evaluate(axis(node.outputs[0], 1), counts_);
    set_integers(node, 3, sizes);
  }

  // A range of constant indices on an axis that shrinks.
  void rewrite_gather(Node& node) {
    const ValueId x = node.inputs[0];
    const std::size_t along = axis_of(node, rank(x));
    if (before_.is_constant(x) || !before_.is_constant(node.inputs[1]) || rank(node.inputs[1]) != 1 || !shrinks(x, along)) return;
    const std::vector<std::int64_t> indices = before_.constants.at(node.inputs[1]).to_int64s();
    std::vector<std::int64_t> range(static_cast<std::size_t>(evaluate(axis(node.outputs[0], along), counts_)));
    std::iota(range.begin(), range.end(), kept_below(axis(x, along), indices.front()));
    set_integers(node, 1, range);
  }

  const Network& before_;
  const CouplingAnalysis& analysis_;
  const KeptChannels& kept_;
  Network result_;
  std::vector<std::int64_t> counts_;
};

}  // namespace

Network prune(const Network& network, const CouplingAnalysis& analysis, const KeptChannels& kept) {
  return Pruner(network, analysis, kept).run();
}

}  // namespace lathe::policies
