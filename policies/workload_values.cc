// Which values live in memory from when to when, and how wide they are there.
#include <algorithm>
#include <map>

#include "models/operators.h"
#include "policies/fusion.h"
#include "policies/operator_classes.h"
#include "policies/token_selection.h"
#include "policies/workload_tables.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

constexpr int kFloatBits = 32;

// Operators that runtimes run on integers when what reads their result is quantized.
bool is_integer_capable(const Node& node, std::size_t computed) {
  if (!node.domain.empty()) return false;
  return (node.op == "Add" && computed == 2) || node.op == "Concat" || node.op == "AveragePool" || node.op == "GlobalAveragePool";
}

class LifetimeMaker {
 public:
  LifetimeMaker(const Network& network, const CouplingAnalysis& analysis, std::int64_t batch, const std::vector<OpTemplate>& ops,
                const std::vector<ResidualBlock>& blocks)
      : network_(network),
        sizes_(network, analysis, batch),
        readings_(network, blocks),
        fusion_(fuse(network)),
        consumers_(models::consumers(network)),
        drops_(sizes_.token_drops()),
        op_of_node_(network.nodes.size(), -1),
        ops_(ops),
        is_branch_(network.nodes.size(), false),
        last_op_(static_cast<int>(ops.size()) - 1) {
    // Of two factors the second, which comes later.
    for (std::size_t i = 0; i < ops.size(); ++i) op_of_node_[static_cast<std::size_t>(ops[i].fixed.node)] = static_cast<int>(i);
    for (const ResidualBlock& block : blocks) {
      shortcut_of_add_[block.add] = block.shortcut;
      for (const int node : block.nodes) is_branch_[static_cast<std::size_t>(node)] = true;
    }
  }

  std::vector<LiveTemplate> run() && {
    for (const ValueId input : network_.inputs) add(input, {.first = -1, .last = last_use(input)});
    for (std::size_t n = 0; n < network_.nodes.size(); ++n) {
      const int root = fusion_.root[n];
      if (root < 0) continue;
      const int first = op_of_node_[static_cast<std::size_t>(root)], node = static_cast<int>(n);
      add_between_factors(node);
      for (const ValueId id : network_.nodes[n].outputs) {
        if (id == models::kNoValue || !outlives(id, root)) continue;
        const int reuses = reused_value(root, id);
        if (reuses >= 0) is_reused_[static_cast<std::size_t>(ids_[static_cast<std::size_t>(reuses)])] = true;
        add(id, {.first = first,
                 .last = std::max(first, last_use(id)),
                 .reuses = reuses,
                 .part_of = is_branch_[n] ? node : -1,
                 .only_for = drop_of_scores(n)});
      }
    }
    return std::move(values_);
  }

 private:
  bool is_output(ValueId id) const { return std::find(network_.outputs.begin(), network_.outputs.end(), id) != network_.outputs.end(); }

  std::optional<TokenDrop> drop_of_scores(std::size_t n) const {
    if (!is_token_scores(network_.nodes[n])) return std::nullopt;
    const auto found = drops_.find(static_cast<int>(n));
    return found == drops_.end() ? std::nullopt : std::optional<TokenDrop>(found->second);
  }

  void push(ValueId id, const LiveTemplate& value) {
    values_.push_back(value);
    ids_.push_back(id);
  }

  // A value that is last read by a layer of two factors dies with the first of them, and lives on where there is only the layer.
  void add(ValueId id, LiveTemplate value) {
    value.elements = sizes_.elements(id);
    value.reading = readings_.of({id});
    const OpTemplate* last = value.last < 0 ? nullptr : &ops_[static_cast<std::size_t>(value.last)];
    const bool dies_with_factor = last != nullptr && last->factor == FactorRole::kSecond && value.last > value.first && !is_output(id);
    if (!dies_with_factor) return push(id, value);
    LiveTemplate rest = value;
    rest.first = value.last--;
    rest.reuses = -1;
    rest.unfactored = last->fixed.node;
    push(id, value);
    push(models::kNoValue, rest);
  }

  void add_between_factors(int node) {
    const int op = op_of_node_[static_cast<std::size_t>(node)];
    if (op < 0 || ops_[static_cast<std::size_t>(op)].factor != FactorRole::kSecond) return;
    push(models::kNoValue, {.first = op - 1,
                            .last = op,
                            .elements = sizes_.elements(network_.nodes[static_cast<std::size_t>(node)].outputs.front()),
                            .reading = {.readers = {{.node = node}}},
                            .part_of = is_branch_[static_cast<std::size_t>(node)] ? node : -1,
                            .between = node});
  }

  // The first input of the pointwise operator `root` that nothing reads later and that has the shape of the result `id`. As in ONNX
  // Runtime, ncnn and TensorFlow Lite: what the caller passed in is never written over; Concat, pooling and Softmax are not in place. An
  // Add that ends a residual block writes over the shortcut, which is its result where the block goes. A selection of tokens is taken to
  // move its rows together where they are, so that one that drops none needs nothing.
  int reused_value(int root, ValueId id) const {
    const Node& node = network_.nodes[static_cast<std::size_t>(root)];
    if (!is_pointwise(node) && !is_select_tokens(node)) return -1;
    std::vector<ValueId> inputs = node.inputs;
    if (const auto block = shortcut_of_add_.find(root); block != shortcut_of_add_.end() && inputs.front() != block->second)
      std::swap(inputs[0], inputs[1]);
    for (const ValueId input : inputs) {
      const auto found = std::find(ids_.begin(), ids_.end(), input);
      if (input == models::kNoValue || found == ids_.end() || is_reused_[static_cast<std::size_t>(input)]) continue;
      const auto at = static_cast<std::size_t>(found - ids_.begin());
      if (values_[at].first < 0 || values_[at].last != op_of_node_[static_cast<std::size_t>(root)]) continue;
      if (network_.value(input).shape == network_.value(id).shape) return static_cast<int>(at);
    }
    return -1;
  }

  bool outlives(ValueId id, int root) const {
    const std::vector<int>& readers = consumers_[static_cast<std::size_t>(id)];
    return is_output(id) || readers.empty() ||
           std::any_of(readers.begin(), readers.end(), [&](int reader) { return fusion_.root[static_cast<std::size_t>(reader)] != root; });
  }

  // The last operator that reads the value, itself or through views of it.
  int last_use(ValueId id) const {
    if (is_output(id)) return last_op_;
    int last = -1;
    for (const int reader : consumers_[static_cast<std::size_t>(id)]) {
      const int root = fusion_.root[static_cast<std::size_t>(reader)];
      if (root >= 0) {
        last = std::max(last, op_of_node_[static_cast<std::size_t>(root)]);
      } else {
        for (const ValueId view : network_.nodes[static_cast<std::size_t>(reader)].outputs) last = std::max(last, last_use(view));
      }
    }
    return last;
  }

  const Network& network_;
  SizeTable sizes_;
  ReadingTable readings_;
  Fusion fusion_;
  std::vector<std::vector<int>> consumers_;
  std::map<int, TokenDrop> drops_;
  std::vector<int> op_of_node_;
  const std::vector<OpTemplate>& ops_;
  std::vector<bool> is_branch_;
  std::map<int, ValueId> shortcut_of_add_;
  int last_op_;
  std::vector<LiveTemplate> values_;
  std::vector<ValueId> ids_;  // beside `values_`; kNoValue for what no operator can write over
  std::vector<bool> is_reused_ = std::vector<bool>(network_.values.size(), false);
};

}  // namespace

ReadingTable::ReadingTable(const Network& network, const std::vector<ResidualBlock>& blocks)
    : network_(network),
      consumers_(models::consumers(network)),
      is_static_(static_values(network)),
      is_output_(network.values.size(), false),
      root_(fuse(network).root) {
  for (const ValueId output : network.outputs) is_output_[static_cast<std::size_t>(output)] = true;
  for (const ResidualBlock& block : blocks) adds_.insert(block.add);
}

Reading ReadingTable::of(const std::vector<ValueId>& ids) const {
  Reading reading;
  Visited visited;
  for (const ValueId id : ids) {
    if (id != models::kNoValue) collect(id, {}, visited, reading);
  }
  return reading;
}

void ReadingTable::collect(ValueId id, const Way& way, Visited& visited, Reading& reading) const {
  if (!visited.emplace(id, way).second) return;
  const std::vector<int>& readers = consumers_[static_cast<std::size_t>(id)];
  if (is_output_[static_cast<std::size_t>(id)] || readers.empty())
    reading.readers.push_back({.floor = kFloatBits, .is_behind = way.is_behind, .adds = way.adds});
  for (const int reader : readers) collect_reader(reader, id, way, visited, reading);
}

void ReadingTable::collect_reader(int reader, ValueId id, const Way& way, Visited& visited, Reading& reading) const {
  const Node& node = network_.nodes[static_cast<std::size_t>(reader)];
  const int weight = models::weight_input(network_, node);
  Reader here{.is_behind = way.is_behind, .adds = way.adds};
  if (weight >= 0 && node.inputs[weight == 0 ? 1 : 0] == id) {
    here.node = reader;
    if (std::find(reading.readers.begin(), reading.readers.end(), here) == reading.readers.end()) reading.readers.push_back(here);
    return;
  }
  const std::size_t computed = computed_inputs(node, is_static_).size();
  const bool passes = (computed == 1 && is_pointwise(node)) || copies_elements(network_, node) ||
                      (is_pointwise(node) && !is_integer_capable(node, computed) && root_[static_cast<std::size_t>(reader)] != reader &&
                       network_.value(id).shape == network_.value(node.outputs.front()).shape);
  const bool is_integer = is_integer_capable(node, computed), may_go = adds_.contains(reader);
  if (passes || is_integer) {
    here.floor = is_integer ? 8 : 0;
    here.add = may_go ? reader : -1;
  } else {
    here.floor = kFloatBits;
  }
  if (here.floor > 0) reading.readers.push_back(here);
  if (here.floor == kFloatBits || (is_integer && !may_go && way.is_behind)) return;
  Way further = way;
  if (may_go)
    further.adds.push_back(reader);
  else
    further.is_behind = way.is_behind || is_integer;
  for (const ValueId output : node.outputs) {
    if (output != models::kNoValue) collect(output, further, visited, reading);
  }
}

std::vector<LiveTemplate> make_live_templates(const Network& network, const CouplingAnalysis& analysis, std::int64_t batch,
                                              const std::vector<OpTemplate>& ops, const std::vector<ResidualBlock>& blocks) {
  return LifetimeMaker(network, analysis, batch, ops, blocks).run();
}

}  // namespace lathe::policies
