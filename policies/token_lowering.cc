// Token selection in plain ONNX, of opset 13 on: two TopK, the second of which puts the chosen positions back in their order.
#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/base/check.h"
#include "policies/fresh_names.h"
#include "policies/token_selection.h"

namespace lathe::policies {
namespace {

using models::DataType;
using models::kDynamic;
using models::Network;
using models::Node;
using models::Shape;
using models::Tensor;
using models::ValueId;

class Lowering {
 public:
  explicit Lowering(Network network) : network_(std::move(network)), names_(network_) {}

  Network run() && {
    std::vector<Node> before = std::exchange(network_.nodes, {});
    mark_wanted(before);
    for (Node& node : before) {
      for (ValueId& id : node.inputs) id = resolved(id);
      if (is_token_scores(node)) {
        if (is_wanted_.contains(node.outputs[0])) make_scores(node);
      } else if (is_select_tokens(node)) {
        drops(node) ? make_selection(node) : forward(node);
      } else {
        network_.nodes.push_back(std::move(node));
      }
    }
    for (ValueId& id : network_.outputs) id = resolved(id);
    return std::move(network_);
  }

 private:
  std::int64_t tokens_before(const Node& selection) const { return network_.value(selection.inputs[1]).shape[3]; }
  std::int64_t tokens_after(const Node& selection) const { return network_.value(selection.outputs[0]).shape[1]; }
  bool drops(const Node& selection) const { return tokens_after(selection) < tokens_before(selection); }

  void mark_wanted(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) {
      if (!is_select_tokens(node)) continue;
      LATHE_CHECK_LE(tokens_after(node), tokens_before(node)) << node.name;
      if (drops(node)) is_wanted_.insert(node.inputs[1]);
    }
  }

  ValueId resolved(ValueId id) const {
    const auto found = same_as_.find(id);
    return found == same_as_.end() ? id : found->second;
  }

  void forward(const Node& selection) {
    std::vector<ValueId> inputs = selection.inputs;
    inputs.erase(inputs.begin() + 1);
    for (std::size_t i = 0; i < inputs.size(); ++i) same_as_[selection.outputs[i]] = inputs[i];
  }

  // Appends a node with one output; returns that.
  ValueId append(const std::string& op, std::vector<ValueId> inputs, Shape shape, DataType type,
                 std::map<std::string, models::Attribute> attributes = {}) {
    const ValueId output = network_.add_value({.name = names_.next(), .type = type, .shape = std::move(shape)});
    network_.nodes.push_back({.name = names_.next(),
                              .op = op,
                              .domain = "",
                              .inputs = std::move(inputs),
                              .outputs = {output},
                              .attributes = std::move(attributes)});
    return output;
  }

  ValueId integers(const std::vector<std::int64_t>& values) { return network_.add_constant(names_.next(), Tensor::int64s(values)); }

  // Sums the probabilities [N, heads, L, L] over heads and the queries that are no padding: [N, 1, 1, L].
  void make_scores(const Node& node) {
    const models::Value probabilities = network_.value(node.inputs[0]);
    const std::int64_t heads = probabilities.shape[1], tokens = probabilities.shape[3];
    ValueId votes = node.inputs[0];
    if (node.inputs.size() > 1) {
      const ValueId weights = append("Exp", {node.inputs[1]}, network_.value(node.inputs[1]).shape, probabilities.type);
      votes = append("MatMul", {weights, votes}, {kDynamic, heads, 1, tokens}, probabilities.type);
    }
    network_.nodes.push_back({.name = names_.next(),
                              .op = "ReduceSum",
                              .domain = "",
                              .inputs = {votes, integers({1, 2})},
                              .outputs = {node.outputs[0]},
                              .attributes = {{"keepdims", std::int64_t{1}}}});
  }

  // Added to the scores so that the first token always has the highest: more than heads * L, and so much that training takes it for a mask
  // (see models::trainable_constants).
  ValueId first_token_bonus(std::int64_t tokens) {
    std::vector<float> bonus(static_cast<std::size_t>(tokens), 0.0F);
    bonus[0] = 1e9F;
    return network_.add_constant(names_.next(), Tensor::from<float>({tokens}, bonus));
  }

  ValueId top(ValueId values, std::int64_t count, bool is_largest, std::size_t wanted_output, DataType type) {
    const Shape shape{kDynamic, 1, 1, count};
    const ValueId found = network_.add_value({.name = names_.next(), .type = type, .shape = shape});
    const ValueId positions = network_.add_value({.name = names_.next(), .type = DataType::kInt64, .shape = shape});
    network_.nodes.push_back(
        {.name = names_.next(),
         .op = "TopK",
         .domain = "",
         .inputs = {values, integers({count})},
         .outputs = {found, positions},
         .attributes = {{"axis", std::int64_t{-1}}, {"largest", std::int64_t{is_largest}}, {"sorted", std::int64_t{1}}}});
    return wanted_output == 0 ? found : positions;
  }

  void make_selection(const Node& node) {
    const std::int64_t count = tokens_after(node);
    const ValueId scores = node.inputs[1];
    const models::Value scored = network_.value(scores);
    const ValueId raised = append("Add", {scores, first_token_bonus(tokens_before(node))}, scored.shape, scored.type);
    const ValueId best = top(raised, count, /*is_largest=*/true, /*wanted_output=*/1, scored.type);
    const ValueId positions = top(best, count, /*is_largest=*/false, /*wanted_output=*/0, DataType::kInt64);  // [N, 1, 1, k], ascending
    const ValueId rows = append("Reshape", {positions, integers({-1, count, 1})}, {kDynamic, count, 1}, DataType::kInt64);
    network_.nodes.push_back({.name = names_.next(),
                              .op = "GatherND",
                              .domain = "",
                              .inputs = {node.inputs[0], rows},
                              .outputs = {node.outputs[0]},
                              .attributes = {{"batch_dims", std::int64_t{1}}}});
    for (std::size_t i = 2; i < node.inputs.size(); ++i) gather_companion(node.inputs[i], node.outputs[i - 1], positions, count);
  }

  // One number a token: the positions take the value's own shape.
  void gather_companion(ValueId value, ValueId output, ValueId positions, std::int64_t count) {
    const Shape before = network_.value(value).shape, after = network_.value(output).shape;
    const auto axis = std::mismatch(before.begin(), before.end(), after.begin()).first - before.begin();
    Shape target = after;
    std::replace(target.begin(), target.end(), kDynamic, std::int64_t{-1});
    const bool fits = target == network_.value(positions).shape;
    const ValueId indices = fits ? positions : append("Reshape", {positions, integers(target)}, after, DataType::kInt64);
    LATHE_CHECK_EQ(after[static_cast<std::size_t>(axis)], count) << network_.value(value).name;
    network_.nodes.push_back({.name = names_.next(),
                              .op = "GatherElements",
                              .domain = "",
                              .inputs = {value, indices},
                              .outputs = {output},
                              .attributes = {{"axis", static_cast<std::int64_t>(axis)}}});
  }

  Network network_;
  FreshNames names_;
  std::set<ValueId> is_wanted_;         // scores by which something is dropped
  std::map<ValueId, ValueId> same_as_;  // outputs of selections that drop nothing
};

}  // namespace

Network lower_token_selections(Network network) {
  if (std::none_of(network.nodes.begin(), network.nodes.end(), is_select_tokens)) return network;
  return Lowering(std::move(network)).run();
}

}  // namespace lathe::policies
