// Builds a Network node by node while the file is read, and folds as it goes.
//
// Shape arithmetic must become constants although the batch is open. Every extent and every integer computed from extents is
// therefore worked out twice, for two different batch sizes: what comes out the same does not depend on the batch, what differs
// does. That is partial evaluation without a symbolic algebra: any operator that the executor runs folds, with the executor's
// own arithmetic. (An expression that depends on the batch and yet agrees at both sizes, such as min(N, 4), would be taken for a
// constant; the sizes are large and have many divisors, so that batch / k and batch % k behave as for most batches.)
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/network.h"

namespace lathe::models::internal {

inline constexpr std::array<std::int64_t, 2> kBatches{48, 96};

// A shape or the contents of a value, for each of kBatches.
using ShapePair = std::array<Shape, 2>;
using ContentPair = std::array<std::optional<Tensor>, 2>;

class GraphBuilder {
 public:
  explicit GraphBuilder(int opset) { network_.opset = opset; }

  Network& network() { return network_; }
  const Network& network() const { return network_; }

  // Throws UserError for shapes that are negative or too large to count.
  ValueId add_value(const std::string& name, DataType type, const ShapePair& shapes);
  ValueId add_constant(const std::string& name, Tensor tensor);
  ValueId add_int64s(const std::string& name, const std::vector<std::int64_t>& values) {
    return add_constant(name, Tensor::int64s(values));
  }

  const ShapePair& shapes(ValueId id) const { return shapes_[static_cast<std::size_t>(id)]; }
  // What a value holds, where that is known before running: constants, and integers computed from shapes.
  const std::optional<Tensor>& content(ValueId id, std::size_t side) const;
  // Both sides, or nothing.
  bool has_content(ValueId id) const { return content(id, 0).has_value() && content(id, 1).has_value(); }

  // Appends the node, or replaces it by constants where its inputs say what it computes. Its outputs must have been added.
  void emit(Node node);

  // A name that no node has yet, made from `wanted`.
  std::string unique_node_name(const std::string& wanted);

 private:
  bool try_fold(const Node& node);
  std::vector<Tensor> evaluate(const Node& node, std::size_t side) const;

  Network network_;
  std::vector<ShapePair> shapes_;            // by ValueId
  std::map<ValueId, ContentPair> contents_;  // of constants, and of what depends on the batch alone
  std::set<std::string> value_names_, node_names_;
};

}  // namespace lathe::models::internal
