#include "policies/token_selection.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "models/base/check.h"
#include "policies/operator_classes.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::kNoValue;
using models::Network;
using models::Node;
using models::Shape;
using models::ValueId;

// The axis of L tokens in a value that holds one number for each: [N, L], [N, L, 1], [N, 1, 1, L].
std::optional<std::int64_t> token_axis(const Shape& shape, std::int64_t tokens) {
  if (shape.empty() || shape[0] != kDynamic) return std::nullopt;
  std::optional<std::int64_t> found;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    if (shape[axis] == 1) continue;
    if (shape[axis] != tokens || found) return std::nullopt;
    found = static_cast<std::int64_t>(axis);
  }
  return found;
}

// Number of tokens of a self-attention whose probabilities [N, heads, L, L] the node makes; 0 for any other node.
std::int64_t attended_tokens(const Network& network, const Node& node) {
  if (node.op != "Softmax" || !node.domain.empty()) return 0;
  const Shape& shape = network.value(node.outputs[0]).shape;
  const std::int64_t axis = models::int_attribute(node, "axis", network.opset < 13 ? 1 : -1);
  const bool is_attention = shape.size() == 4 && shape[0] == kDynamic && shape[2] == shape[3] && shape[3] > 1;
  return is_attention && (axis == -1 || axis == 3) ? shape[3] : 0;
}

struct Place {
  std::size_t softmax;              // index of its node
  ValueId mask = kNoValue;          // [N or 1, 1, 1, L], added to the scores
  ValueId hidden = kNoValue;        // [N, L, width]
  std::vector<ValueId> companions;  // values of one number a token
  std::vector<bool> is_before;      // by node: what `hidden` needs, and it
};

class PlaceFinder {
 public:
  PlaceFinder(const Network& network, std::size_t softmax)
      : network_(network),
        softmax_(softmax),
        tokens_(attended_tokens(network, network.nodes[softmax])),
        producers_(models::producers(network)),
        is_static_(static_values(network)) {}

  // `previous`: the place before on the same sequence, a node that must lie on the way; -1 for the first.
  std::optional<Place> find(int previous) const {
    const std::vector<bool> reached = reached_from(network_.nodes[softmax_].outputs[0]);
    for (std::size_t n = softmax_ + 1; n < network_.nodes.size(); ++n) {
      if (!reached[n]) continue;
      if (attended_tokens(network_, network_.nodes[n]) > 0) return std::nullopt;  // the next block
      const ValueId candidate = network_.nodes[n].outputs[0];
      const Shape& shape = network_.value(candidate).shape;
      const bool is_hidden = shape.size() == 3 && shape[0] == kDynamic && shape[1] == tokens_ && shape[2] > 1;
      if (!is_hidden || network_.nodes[n].outputs.size() != 1) continue;
      Place place{.softmax = softmax_, .mask = mask(), .hidden = candidate, .companions = {}, .is_before = needed_for(n)};
      if (previous >= 0 && !place.is_before[static_cast<std::size_t>(previous)]) return std::nullopt;
      if (add_companions(place)) return place;
    }
    return std::nullopt;
  }

 private:
  // The nodes that the value leads to.
  std::vector<bool> reached_from(ValueId value) const {
    std::vector<bool> is_reached(network_.values.size(), false), nodes(network_.nodes.size(), false);
    is_reached[static_cast<std::size_t>(value)] = true;
    for (std::size_t n = 0; n < network_.nodes.size(); ++n) {
      const Node& node = network_.nodes[n];
      nodes[n] = std::any_of(node.inputs.begin(), node.inputs.end(),
                             [&](ValueId id) { return id != kNoValue && is_reached[static_cast<std::size_t>(id)]; });
      for (const ValueId id : node.outputs) {
        if (id != kNoValue && nodes[n]) is_reached[static_cast<std::size_t>(id)] = true;
      }
    }
    return nodes;
  }

  // The node and those that it needs.
  std::vector<bool> needed_for(std::size_t last) const {
    std::vector<bool> nodes(network_.nodes.size(), false);
    nodes[last] = true;
    for (std::size_t n = last + 1; n-- > 0;) {
      if (nodes[n]) mark_producers(network_.nodes[n], nodes);
    }
    return nodes;
  }

  void mark_producers(const Node& node, std::vector<bool>& nodes) const {
    for (const ValueId id : node.inputs) {
      const int producer = id == kNoValue ? -1 : producers_[static_cast<std::size_t>(id)];
      if (producer >= 0) nodes[static_cast<std::size_t>(producer)] = true;
    }
  }

  // What else passes from before the place to what the hidden value leads to, or to what that needs besides. False where it is more than
  // numbers of tokens that are used before the place too, or came through the one before.
  bool add_companions(Place& place) const {
    std::vector<bool> after = reached_from(place.hidden);
    for (std::size_t n = network_.nodes.size(); n-- > 0;) {
      if (after[n]) mark_producers(network_.nodes[n], after);
      if (place.is_before[n]) after[n] = false;
    }
    std::set<ValueId> read_before, passing;
    for (std::size_t n = 0; n < network_.nodes.size(); ++n) {
      for (const ValueId id : network_.nodes[n].inputs) {
        if (id == kNoValue || is_static_[static_cast<std::size_t>(id)] || id == place.hidden) continue;
        const int producer = producers_[static_cast<std::size_t>(id)];
        const bool is_made_before = producer < 0 || place.is_before[static_cast<std::size_t>(producer)];
        if (place.is_before[n]) read_before.insert(id);
        if (after[n] && is_made_before) passing.insert(id);
      }
    }
    for (const ValueId id : passing) {
      const int producer = producers_[static_cast<std::size_t>(id)];
      const bool is_selected = producer >= 0 && is_select_tokens(network_.nodes[static_cast<std::size_t>(producer)]);
      const bool is_of_these_tokens = is_selected || read_before.contains(id);
      if (!is_of_these_tokens || !token_axis(network_.value(id).shape, tokens_)) return false;
    }
    place.companions.assign(passing.begin(), passing.end());
    return true;
  }

  // The operand of the Add before the Softmax that says which tokens are padding.
  ValueId mask() const {
    const int producer = producers_[static_cast<std::size_t>(network_.nodes[softmax_].inputs[0])];
    if (producer < 0 || network_.nodes[static_cast<std::size_t>(producer)].op != "Add") return kNoValue;
    for (const ValueId id : network_.nodes[static_cast<std::size_t>(producer)].inputs) {
      const Shape& shape = network_.value(id).shape;
      if (shape.size() == 4 && shape[1] == 1 && shape[2] == 1 && shape[3] == tokens_) return id;
    }
    return kNoValue;
  }

  const Network& network_;
  std::size_t softmax_;
  std::int64_t tokens_;
  std::vector<int> producers_;
  std::vector<bool> is_static_;
};

// A name that no value and no node has yet.
std::string fresh(const Network& network, const std::string& wanted) {
  std::set<std::string> taken;
  for (const models::Value& value : network.values) taken.insert(value.name);
  for (const Node& node : network.nodes) taken.insert(node.name);
  std::string name = wanted;
  for (int i = 1; taken.contains(name); ++i) name = wanted + "_" + std::to_string(i);
  return name;
}

ValueId add_value(Network& network, const std::string& name, models::DataType type, Shape shape) {
  return network.add_value({.name = fresh(network, name), .type = type, .shape = std::move(shape)});
}

Node scores_node(Network& network, const Place& place, ValueId scores) {
  const Node& softmax = network.nodes[place.softmax];
  Node node{.name = fresh(network, softmax.name + "/token_scores"),
            .op = kTokenScores,
            .domain = models::kLatheDomain,
            .inputs = {softmax.outputs[0]},
            .outputs = {scores},
            .attributes = {}};
  if (place.mask != kNoValue) node.inputs.push_back(place.mask);
  return node;
}

// Gives what is behind the place the outputs of the selection in place of its inputs.
void redirect(std::vector<Node>& nodes, std::size_t first, const Node& selection, std::size_t scores_input) {
  for (std::size_t n = first; n < nodes.size(); ++n) {
    for (ValueId& id : nodes[n].inputs) {
      for (std::size_t i = 0, output = 0; i < selection.inputs.size(); ++i) {
        if (i == scores_input) continue;
        if (id == selection.inputs[i]) {
          id = selection.outputs[output];
          break;
        }
        ++output;
      }
    }
  }
}

// Puts the two operators in and what does not lead to the place behind it. Returns the selection's name.
std::string insert(Network& network, const Place& place) {
  const models::Value hidden = network.value(place.hidden);
  const ValueId scores =
      add_value(network, network.nodes[place.softmax].name + "_token_scores", hidden.type, {kDynamic, 1, 1, hidden.shape[1]});
  Node selection{.name = fresh(network, network.nodes[place.softmax].name + "/tokens"),
                 .op = kSelectTokens,
                 .domain = models::kLatheDomain,
                 .inputs = {place.hidden, scores},
                 .outputs = {},
                 .attributes = {}};
  selection.inputs.insert(selection.inputs.end(), place.companions.begin(), place.companions.end());
  for (const ValueId id : selection.inputs) {
    if (id == scores) continue;
    const models::Value value = network.value(id);
    selection.outputs.push_back(add_value(network, value.name + "_selected", value.type, value.shape));
  }
  const Node scoring = scores_node(network, place, scores);
  std::vector<Node> nodes, rest;
  for (std::size_t n = 0; n < network.nodes.size(); ++n) {
    (place.is_before[n] ? nodes : rest).push_back(std::move(network.nodes[n]));
    if (n == place.softmax) nodes.push_back(scoring);
  }
  nodes.push_back(selection);
  const std::size_t behind = nodes.size();
  nodes.insert(nodes.end(), std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
  redirect(nodes, behind, selection, /*scores_input=*/1);
  network.nodes = std::move(nodes);
  return selection.name;
}

}  // namespace

bool is_token_scores(const Node& node) {
  return node.op == kTokenScores && node.domain == models::kLatheDomain;
}
bool is_select_tokens(const Node& node) {
  return node.op == kSelectTokens && node.domain == models::kLatheDomain;
}

Network insert_token_selections(Network network) {
  std::vector<std::string> attentions;
  for (const Node& node : network.nodes) {
    if (attended_tokens(network, node) > 0) attentions.push_back(node.name);
  }
  std::string previous;
  for (const std::string& name : attentions) {
    const auto nodes = models::node_indices(network);
    const PlaceFinder finder(network, static_cast<std::size_t>(nodes.at(name)));
    const std::optional<Place> place = finder.find(previous.empty() ? -1 : nodes.at(previous));
    if (place) previous = insert(network, *place);
  }
  return network;
}

}  // namespace lathe::policies
