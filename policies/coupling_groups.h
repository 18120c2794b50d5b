// Coupling groups: which channels of which layers must be kept or removed together. Found by giving every axis of every value and
// constant an expression over *dimensions* and unifying these expressions along the graph.
//
//   Dimension   a set of n indices that are kept or removed by one decision; or frozen (a plain integer) with a reason.
//   Axis        a concatenation of segments; a segment is a row-major product of dimensions and integers. Examples:
//               the output of Concat is [A][B]; flattened features are [C*7*7]; the hidden axis of attention is [H*D] (heads x width);
//               a grouped convolution reads [G*K]; an option-A shortcut is [P][A][Q] with P, Q made of zeros by Pad.
//
// Unifying two axes refines them to a common form: a dimension may be split into a sum (D = D1 + D2) or a product (D = H * W), two
// dimensions may become one, and what fits neither is frozen. Removing indices of a dimension then keeps every tensor rectangular,
// and each shape in the pruned network is the value of its expression, Reshape targets, Pad amounts and Split sizes included.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/network.h"

namespace lathe::policies {

// One factor of a segment: a dimension (index into CouplingAnalysis::groups) or, with group -1, a plain integer.
struct Factor {
  int group = -1;
  std::int64_t size = 1;  // unpruned
  bool operator==(const Factor&) const = default;
};
using Segment = std::vector<Factor>;          // row-major product; empty = 1
using AxisExpression = std::vector<Segment>;  // concatenation

struct CouplingGroup {
  std::string name;           // of the first layer that produces it, with a suffix where that layer produces several
  std::int64_t channels = 0;  // size of the dimension
  bool prunable = true;
  std::string reason;                  // why not, in words for the user; "" if prunable
  std::vector<std::string> producers;  // layers whose output channels these are, in network order
  std::vector<std::string> consumers;  // layers that read them
  // The dimension is a number of tokens (token_selection.h), which may be at most that of the tokens before it. `kept` counts then; which
  // positions stay is found for each input. `producers` is the last layer before the selection.
  bool is_tokens = false;
  bool operator==(const CouplingGroup&) const = default;
};

struct CouplingAnalysis {
  // Prunable groups first come in network order; not-prunable ones that a layer produces are listed with their reason; then come tokens.
  std::vector<CouplingGroup> groups;
  // For each value of the network (constants too), for each axis. Extents that depend on the batch have one segment {-1, kDynamic}.
  std::vector<std::vector<AxisExpression>> axes;
  // Constants that must be told apart for each use before pruning are already apart in the network that the caller passed through
  // `prepare_for_pruning`.
};

// Gives each use of a shared small constant its own copy (shape constants, one-dimensional parameters that an exporter merged), so that
// unrelated layers do not become coupled. Weights of layers (rank >= 2) stay shared: that sharing is meant. Marks where tokens can be
// dropped (token_selection.h).
models::Network prepare_for_pruning(models::Network network);

CouplingAnalysis analyze_coupling(const models::Network& network);

// Kept indices of each group, ascending; an empty entry keeps the group whole. Indexed as CouplingAnalysis::groups.
using KeptChannels = std::vector<std::vector<std::int64_t>>;

// What can be kept: of tokens at most as many as before them. Changes counts of groups, indexed as CouplingAnalysis::groups.
void limit_tokens(const std::vector<int>& token_groups, std::vector<std::int64_t>& kept_counts);
// The groups of tokens in network order.
std::vector<int> token_groups(const CouplingAnalysis& analysis);
// The TokenScores node (index into Network::nodes) by which the tokens of each prunable group of tokens are chosen.
std::map<int, int> scores_of_tokens(const models::Network& network, const CouplingAnalysis& analysis);

// Extent of an axis when `kept_counts[g]` indices of group g stay (kDynamic stays kDynamic).
std::int64_t evaluate(const AxisExpression& axis, const std::vector<std::int64_t>& kept_counts);
// The indices of the axis that stay, ascending.
std::vector<std::int64_t> kept_indices(const AxisExpression& axis, const CouplingAnalysis& analysis, const KeptChannels& kept);

}  // namespace lathe::policies
