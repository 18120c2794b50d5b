#include "policies/fusion.h"

#include <algorithm>

#include "policies/operator_classes.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

class Fuser {
 public:
  explicit Fuser(const Network& network)
      : network_(network),
        producers_(models::producers(network)),
        consumers_(models::consumers(network)),
        is_static_(static_values(network)),
        is_apart_(network.nodes.size(), false),
        is_output_(network.values.size(), false) {
    for (const ValueId output : network.outputs) is_output_[static_cast<std::size_t>(output)] = true;
  }

  // First as if nobody else read the values in between; then the first node whose input somebody else does read is set apart, and all
  // again, since what followed it may have to part too. Ends: each round sets one more node apart.
  Fusion run() && {
    do {
      assign();
    } while (set_one_apart());
    return {std::move(root_)};
  }

 private:
  int root_of(ValueId id) const {
    const int producer = producers_[static_cast<std::size_t>(id)];
    return producer < 0 ? -1 : root_[static_cast<std::size_t>(producer)];
  }

  const Node& node(int index) const { return network_.nodes[static_cast<std::size_t>(index)]; }

  bool can_carry(int root) const { return root >= 0 && (is_product(node(root)) || is_pointwise(node(root)) || is_reduction(node(root))); }

  void assign() {
    root_.assign(network_.nodes.size(), -1);
    for (int n = 0; n < static_cast<int>(network_.nodes.size()); ++n) {
      const std::vector<ValueId> inputs = computed_inputs(node(n), is_static_);
      if (!inputs.empty()) root_[static_cast<std::size_t>(n)] = choose_root(n, inputs);
    }
  }

  int choose_root(int n, const std::vector<ValueId>& inputs) const {
    const bool is_apart = is_apart_[static_cast<std::size_t>(n)];
    if (is_view(node(n))) return is_apart ? -1 : root_of(inputs.front());
    if (is_apart) return n;
    if (is_pointwise(node(n))) return pointwise_root(n, inputs);
    if (node(n).op.starts_with("Reduce") && inputs.size() == 1) {
      const int root = root_of(inputs.front());
      if (root >= 0 && node(root).op.starts_with("Reduce")) return root;
    }
    return n;
  }

  int pointwise_root(int n, const std::vector<ValueId>& inputs) const {
    // The candidate is the latest root: of x and a reduction of x it is the reduction.
    int root = -1;
    for (const ValueId input : inputs) root = std::max(root, root_of(input));
    if (!can_carry(root)) return n;
    const models::Shape& shape = network_.value(node(n).outputs.front()).shape;
    bool keeps_shape = false;
    for (const ValueId input : inputs) {
      const bool reads_reduced = is_reduction(node(root)) && node(root).inputs.front() == input;
      if (root_of(input) != root && !reads_reduced) return n;
      keeps_shape = keeps_shape || network_.value(input).shape == shape;
    }
    return keeps_shape ? root : n;
  }

  bool set_one_apart() {
    for (int n = 0; n < static_cast<int>(network_.nodes.size()); ++n) {
      const int root = root_[static_cast<std::size_t>(n)];
      if (root < 0 || root == n) continue;
      for (const ValueId input : computed_inputs(node(n), is_static_)) {
        if (root_of(input) != root || !is_read_elsewhere(input, root)) continue;
        is_apart_[static_cast<std::size_t>(n)] = true;
        return true;
      }
    }
    return false;
  }

  bool is_read_elsewhere(ValueId id, int root) const {
    if (is_output_[static_cast<std::size_t>(id)]) return true;
    const std::vector<int>& readers = consumers_[static_cast<std::size_t>(id)];
    return std::any_of(readers.begin(), readers.end(), [&](int reader) { return root_[static_cast<std::size_t>(reader)] != root; });
  }

  const Network& network_;
  std::vector<int> producers_;
  std::vector<std::vector<int>> consumers_;
  std::vector<bool> is_static_, is_apart_, is_output_;
  std::vector<int> root_;
};

}  // namespace

Fusion fuse(const Network& network) {
  return Fuser(network).run();
}

}  // namespace lathe::policies
