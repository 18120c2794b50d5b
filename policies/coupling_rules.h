// How each operator couples the axes of its operands and outputs: a table from operator to rule, filled by one file a family.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/coupling_propagation.h"

namespace lathe::policies {

// Unifies the axes of the node's inputs as the operator demands and sets those of its outputs. Called once a node, in network order.
using CouplingRule = void (*)(CouplingPropagation& propagation, const models::Node& node);
using CouplingRules = std::map<std::string, CouplingRule>;

void add_layer_rules(CouplingRules& rules);          // Conv, ConvTranspose, Gemm, MatMul, Einsum
void add_elementwise_rules(CouplingRules& rules);    // arithmetic with broadcasting, activations, quantization
void add_normalization_rules(CouplingRules& rules);  // BatchNormalization and what normalizes, pools or reduces
void add_shape_rules(CouplingRules& rules);          // Reshape, Transpose, Expand, DepthToSpace, ...
void add_indexing_rules(CouplingRules& rules);       // Concat, Split, Slice, Pad, Gather, Tile
void add_token_rules(CouplingRules& rules);          // TokenScores, SelectTokens

// A number of tokens behind a SelectTokens, with the last layer before it.
struct TokenDimension {
  Axis axis;
  std::string layer;
};
// In network order, when all rules have run. Freezes those that the network needs whole, and with each those before it, which cannot be
// fewer: what meets a constant that is laid out along the positions, or is cut up.
std::vector<TokenDimension> settle_tokens(CouplingPropagation& propagation);

// The rule of the node's operator. One that has none is opaque: every axis that it touches is frozen.
CouplingRule rule_of(const models::Node& node);
// Freezes all axes of the node's inputs and makes those of its outputs integers.
void opaque_rule(CouplingPropagation& propagation, const models::Node& node);

}  // namespace lathe::policies
