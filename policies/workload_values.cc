// Which values live in memory from when to when, and how wide they are there.
#include <algorithm>

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

// Operators that runtimes run on integers when what reads their result is quantized.
bool is_integer_capable(const Node& node, std::size_t computed) {
  if (!node.domain.empty()) return false;
  return (node.op == "Add" && computed == 2) || node.op == "Concat" || node.op == "AveragePool" || node.op == "GlobalAveragePool";
}

class LifetimeMaker {
 public:
  LifetimeMaker(const Network& network, const CouplingAnalysis& analysis, std::int64_t batch, const std::vector<OpTemplate>& ops)
      : network_(network),
        sizes_(network, analysis, batch),
        readings_(network),
        fusion_(fuse(network)),
        consumers_(models::consumers(network)),
        drops_(sizes_.token_drops()),
        op_of_node_(network.nodes.size(), -1),
        last_op_(static_cast<int>(ops.size()) - 1) {
    for (std::size_t i = 0; i < ops.size(); ++i) op_of_node_[static_cast<std::size_t>(ops[i].fixed.node)] = static_cast<int>(i);
  }

  std::vector<LiveTemplate> run() const {
    std::vector<LiveTemplate> values;
    std::vector<ValueId> ids;  // beside `values`
    for (const ValueId input : network_.inputs) {
      values.push_back({-1, last_use(input), sizes_.elements(input), readings_.of({input})});
      ids.push_back(input);
    }
    std::vector<bool> is_reused(network_.values.size(), false);
    for (std::size_t n = 0; n < network_.nodes.size(); ++n) {
      const int root = fusion_.root[n];
      if (root < 0) continue;
      const int first = op_of_node_[static_cast<std::size_t>(root)];
      for (const ValueId id : network_.nodes[n].outputs) {
        if (id == models::kNoValue || !outlives(id, root)) continue;
        const int reuses = reused_value(root, id, values, ids, is_reused);
        if (reuses >= 0) is_reused[static_cast<std::size_t>(ids[static_cast<std::size_t>(reuses)])] = true;
        values.push_back({first, std::max(first, last_use(id)), sizes_.elements(id), readings_.of({id}), reuses, drop_of_scores(n)});
        ids.push_back(id);
      }
    }
    return values;
  }

 private:
  bool is_output(ValueId id) const { return std::find(network_.outputs.begin(), network_.outputs.end(), id) != network_.outputs.end(); }

  std::optional<TokenDrop> drop_of_scores(std::size_t n) const {
    if (!is_token_scores(network_.nodes[n])) return std::nullopt;
    const auto found = drops_.find(static_cast<int>(n));
    return found == drops_.end() ? std::nullopt : std::optional<TokenDrop>(found->second);
  }

  // The first input of the pointwise operator `root` that nothing reads later and that has the shape of the result `id`. As in ONNX
  // Runtime, ncnn and TensorFlow Lite: what the caller passed in is never written over; Concat, pooling and Softmax are not in place. A
  // selection of tokens is taken to move its rows together where they are, so that one that drops none needs nothing.
  int reused_value(int root, ValueId id, const std::vector<LiveTemplate>& values, const std::vector<ValueId>& ids,
                   const std::vector<bool>& is_reused) const {
    const Node& node = network_.nodes[static_cast<std::size_t>(root)];
    if (!is_pointwise(node) && !is_select_tokens(node)) return -1;
    for (const ValueId input : node.inputs) {
      const auto found = std::find(ids.begin(), ids.end(), input);
      if (found == ids.end() || is_reused[static_cast<std::size_t>(input)]) continue;
      const auto at = static_cast<std::size_t>(found - ids.begin());
      if (values[at].first < 0 || values[at].last != op_of_node_[static_cast<std::size_t>(root)]) continue;
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
  int last_op_;
};

void insert_once(std::vector<int>& nodes, int node) {
  if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
}

}  // namespace

ReadingTable::ReadingTable(const Network& network)
    : network_(network),
      consumers_(models::consumers(network)),
      is_static_(static_values(network)),
      is_output_(network.values.size(), false),
      root_(fuse(network).root) {
  for (const ValueId output : network.outputs) is_output_[static_cast<std::size_t>(output)] = true;
}

Reading ReadingTable::of(const std::vector<ValueId>& ids) const {
  Reading reading;
  std::vector<char> visited(network_.values.size(), 0);
  for (const ValueId id : ids) {
    if (id != models::kNoValue) collect(id, /*is_behind=*/false, visited, reading);
  }
  return reading;
}

// `visited` holds bit 1 for values seen directly, bit 2 for those seen behind an integer operator.
void ReadingTable::collect(ValueId id, bool is_behind, std::vector<char>& visited, Reading& reading) const {
  const char mark = is_behind ? 2 : 1;
  char& seen = visited[static_cast<std::size_t>(id)];
  if ((seen & mark) != 0) return;
  seen = static_cast<char>(seen | mark);
  const std::vector<int>& readers = consumers_[static_cast<std::size_t>(id)];
  if (is_output_[static_cast<std::size_t>(id)] || readers.empty()) reading.floor = 32;
  for (const int reader : readers) collect_reader(reader, id, is_behind, visited, reading);
}

void ReadingTable::collect_reader(int reader, ValueId id, bool is_behind, std::vector<char>& visited, Reading& reading) const {
  const Node& node = network_.nodes[static_cast<std::size_t>(reader)];
  const int weight = models::weight_input(network_, node);
  if (weight >= 0 && node.inputs[weight == 0 ? 1 : 0] == id) {
    insert_once(is_behind ? reading.behind : reading.nodes, reader);
    return;
  }
  const std::size_t computed = computed_inputs(node, is_static_).size();
  const bool passes = (computed == 1 && is_pointwise(node)) || copies_elements(network_, node) ||
                      (is_pointwise(node) && !is_integer_capable(node, computed) && root_[static_cast<std::size_t>(reader)] != reader &&
                       network_.value(id).shape == network_.value(node.outputs.front()).shape);
  const bool is_integer = is_integer_capable(node, computed);
  if (!passes && !is_integer) {
    reading.floor = 32;
    return;
  }
  if (is_integer) reading.floor = std::max(reading.floor, 8);
  if (is_integer && is_behind) return;
  for (const ValueId output : node.outputs) {
    if (output != models::kNoValue) collect(output, is_behind || is_integer, visited, reading);
  }
}

std::vector<LiveTemplate> make_live_templates(const Network& network, const CouplingAnalysis& analysis, std::int64_t batch,
                                              const std::vector<OpTemplate>& ops) {
  return LifetimeMaker(network, analysis, batch, ops).run();
}

}  // namespace lathe::policies
