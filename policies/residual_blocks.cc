#include "policies/residual_blocks.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "models/base/check.h"
#include "models/operators.h"
#include "policies/operator_classes.h"
#include "policies/token_selection.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

class BlockFinder {
 public:
  explicit BlockFinder(const Network& network)
      : network_(network),
        producers_(models::producers(network)),
        consumers_(models::consumers(network)),
        is_static_(static_values(network)) {
    const auto is_scoring = [&](int reader) { return is_token_scores(network.nodes[static_cast<std::size_t>(reader)]); };
    for (std::vector<int>& of_value : consumers_) std::erase_if(of_value, is_scoring);
  }

  std::vector<ResidualBlock> run() const {
    std::vector<ResidualBlock> blocks;
    std::set<int> taken;
    for (int n = 0; n < static_cast<int>(network_.nodes.size()); ++n) {
      const Node& node = network_.nodes[static_cast<std::size_t>(n)];
      if (node.op != "Add" || !node.domain.empty() || is_output(node.outputs[0])) continue;
      for (const std::size_t branch : {0, 1}) {
        std::optional<ResidualBlock> block = block_of(n, node.inputs[branch], node.inputs[1 - branch]);
        if (!block || std::any_of(block->nodes.begin(), block->nodes.end(), [&](int inner) { return taken.contains(inner); })) continue;
        taken.insert(block->nodes.begin(), block->nodes.end());
        taken.insert(n);
        blocks.push_back(*std::move(block));
        break;
      }
    }
    return blocks;
  }

 private:
  bool is_output(ValueId id) const { return std::find(network_.outputs.begin(), network_.outputs.end(), id) != network_.outputs.end(); }
  const std::vector<int>& readers(ValueId id) const { return consumers_[static_cast<std::size_t>(id)]; }

  std::optional<ResidualBlock> block_of(int add, ValueId f, ValueId x) const {
    const Node& node = network_.nodes[static_cast<std::size_t>(add)];
    const bool is_computed = !is_static_[static_cast<std::size_t>(f)] && !is_static_[static_cast<std::size_t>(x)];
    const models::Shape& shape = network_.value(node.outputs[0]).shape;
    if (f == x || !is_computed || network_.value(f).shape != shape || network_.value(x).shape != shape || is_output(x)) return std::nullopt;
    const std::set<int> branch = branch_of(add, f);
    const std::vector<int>& of_x = readers(x);
    const auto is_inside = [&](int reader) { return branch.contains(reader); };
    const bool is_read_here_alone = std::all_of(of_x.begin(), of_x.end(), [&](int reader) { return reader == add || is_inside(reader); });
    const bool has_layer = std::any_of(branch.begin(), branch.end(), [&](int n) {
      return models::weight_input(network_, network_.nodes[static_cast<std::size_t>(n)]) >= 0;
    });
    if (!is_read_here_alone || !has_layer || std::none_of(of_x.begin(), of_x.end(), is_inside)) return std::nullopt;
    return ResidualBlock{.name = node.name, .add = add, .shortcut = x, .nodes = {branch.begin(), branch.end()}};
  }

  // The nodes whose every result serves f alone. Readers come after what they read, so that they are known first.
  std::set<int> branch_of(int add, ValueId f) const {
    std::set<int> branch;
    for (int n = producers_[static_cast<std::size_t>(f)]; n >= 0; --n) {
      const Node& node = network_.nodes[static_cast<std::size_t>(n)];
      const bool is_inner = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
        if (id == models::kNoValue) return true;
        if (is_output(id) || readers(id).empty()) return false;
        return std::all_of(readers(id).begin(), readers(id).end(),
                           [&](int reader) { return branch.contains(reader) || (reader == add && id == f); });
      });
      if (is_inner) branch.insert(n);
    }
    add_token_scores(branch);
    return branch;
  }

  void add_token_scores(std::set<int>& branch) const {
    for (int n = 0; n < static_cast<int>(network_.nodes.size()); ++n) {
      const Node& node = network_.nodes[static_cast<std::size_t>(n)];
      if (is_token_scores(node) && branch.contains(producers_[static_cast<std::size_t>(node.inputs[0])])) branch.insert(n);
    }
  }

  const Network& network_;
  std::vector<int> producers_;
  std::vector<std::vector<int>> consumers_;  // but for those that score tokens
  std::vector<bool> is_static_;
};

// Takes blocks out, walking along the nodes.
class BlockRemover {
 public:
  BlockRemover(const Network& network, std::set<int> adds, std::map<int, ValueId> shortcuts)
      : network_(network), adds_(std::move(adds)), shortcuts_(std::move(shortcuts)), maker_(network.values.size(), -1) {}

  Network run() {
    Network result = network_;
    result.nodes.clear();
    for (int n = 0; n < static_cast<int>(network_.nodes.size()); ++n) {
      Node node = network_.nodes[static_cast<std::size_t>(n)];
      bool is_moved = false;
      for (ValueId& input : node.inputs) {
        const auto found = replaced_.find(input);
        if (found == replaced_.end()) continue;
        input = found->second;
        is_moved = true;
      }
      if (adds_.contains(n)) {
        replaced_[node.outputs[0]] = resolved(shortcuts_.at(n));
        continue;
      }
      if (is_moved && repeats(node, result)) {
        replaced_[node.outputs[0]] = node.inputs[0];
        continue;
      }
      for (const ValueId id : node.outputs) {
        if (id != models::kNoValue) maker_[static_cast<std::size_t>(id)] = static_cast<int>(result.nodes.size());
      }
      result.nodes.push_back(std::move(node));
    }
    return models::without_dead_nodes(std::move(result));
  }

 private:
  ValueId resolved(ValueId id) const {
    const auto found = replaced_.find(id);
    return found == replaced_.end() ? id : found->second;
  }

  // Whether the activation does to its input what has been done to it already; the largest of values within bounds lies within them.
  bool repeats(const Node& node, const Network& result) const {
    if (!node.domain.empty() || (node.op != "Relu" && node.op != "Clip")) return false;
    if (std::find(network_.outputs.begin(), network_.outputs.end(), node.outputs[0]) != network_.outputs.end()) return false;
    int maker = maker_[static_cast<std::size_t>(node.inputs[0])];
    while (maker >= 0 && result.nodes[static_cast<std::size_t>(maker)].op == "MaxPool")
      maker = maker_[static_cast<std::size_t>(result.nodes[static_cast<std::size_t>(maker)].inputs[0])];
    if (maker < 0) return false;
    const Node& earlier = result.nodes[static_cast<std::size_t>(maker)];
    if (earlier.op != node.op || earlier.domain != node.domain || earlier.inputs.size() != node.inputs.size()) return false;
    for (std::size_t i = 1; i < node.inputs.size(); ++i) {
      if (!is_same_bound(earlier.inputs[i], node.inputs[i])) return false;
    }
    return earlier.attributes == node.attributes;
  }

  bool is_same_bound(ValueId a, ValueId b) const {
    if (a == b) return true;
    return a != models::kNoValue && b != models::kNoValue && network_.is_constant(a) && network_.is_constant(b) &&
           network_.constants.at(a) == network_.constants.at(b);
  }

  const Network& network_;
  std::set<int> adds_;
  std::map<int, ValueId> shortcuts_;
  std::map<ValueId, ValueId> replaced_;
  std::vector<int> maker_;  // by value: index into the result's nodes
};

}  // namespace

std::vector<ResidualBlock> find_residual_blocks(const Network& network) {
  return BlockFinder(network).run();
}

Network without_blocks(const Network& network, const std::vector<std::string>& names) {
  if (names.empty()) return network;
  const Network unmarked = lower_token_selections(network);
  std::set<int> adds;
  std::map<int, ValueId> shortcuts;
  for (const ResidualBlock& block : find_residual_blocks(unmarked)) {
    if (std::find(names.begin(), names.end(), block.name) == names.end()) continue;
    adds.insert(block.add);
    shortcuts[block.add] = block.shortcut;
  }
  LATHE_CHECK_EQ(adds.size(), std::set<std::string>(names.begin(), names.end()).size()) << "a name that is no residual block's";
  return BlockRemover(unmarked, std::move(adds), std::move(shortcuts)).run();
}

}  // namespace lathe::policies
