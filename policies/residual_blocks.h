// Residual blocks that a network can do without: y = x + f(x) with an identity shortcut becomes y = x. Networks with such shortcuts behave
// like ensembles of shallower ones and bear the removal of single branches (A. Veit, M. Wilber, S. Belongie, Residual Networks Behave Like
// Ensembles of Relatively Shallow Networks, NIPS 2016, section 4.1), which is what pruning by layers rests on (S. Elkerdawy et al., To
// Filter Prune, or to Layer Prune, That Is The Question, ACCV 2020).
//
// Found by structure alone, so ResNets, inverted residuals, and attention and feed-forward branches of Transformers, with the normalization
// before or after, are all the same.
#pragma once

#include <string>
#include <vector>

#include "models/network.h"

namespace lathe::policies {

struct ResidualBlock {
  std::string name;          // of the Add, which goes with the branch
  int add = -1;              // index into Network::nodes
  models::ValueId shortcut;  // x
  std::vector<int> nodes;    // of f, ascending; nothing but the Add reads what they make
  bool operator==(const ResidualBlock&) const = default;
};

// In network order. An Add of two computed values of equal shape, of which one, x, is read by the Add and the other's branch alone, and
// that branch holds a layer. Blocks do not overlap: of nested ones the inner is taken. Marks of places where tokens can be dropped
// (token_selection.h) change nothing: the one that scores tokens by attention within a branch belongs to that branch.
std::vector<ResidualBlock> find_residual_blocks(const models::Network& network);

// Equals the network whose branches of that name are multiplied by zero. An activation that follows an equal one then (Relu of a Relu) goes
// too, and so do all marks of places where tokens can be dropped (token_selection.h). Each name must be a block's.
models::Network without_blocks(const models::Network& network, const std::vector<std::string>& names);

}  // namespace lathe::policies
