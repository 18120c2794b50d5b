// Zeros among a layer's weights: how many a policy asks for, where magnitude puts them, and how layers share a sparsity of the network.
//
// A zero that pruning put is a zero in the constant and nothing else: the network that a trial measures, that training continues from and
// that is delivered is one and the same. Training holds zeros in place (TrainOptions::keeps_zeros), rounding to integers does by itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"
#include "models/onnx_writer.h"
#include "policies/policy.h"

namespace lathe::policies {

// Weights out of `elements` that stay.
std::int64_t kept_weights(std::int64_t elements, double sparsity);

// 2:4, the pattern of sparse tensor cores (A. Mishra et al., Accelerating Sparse Deep Neural Networks, 2021, section 3): of each four
// consecutive input channels of an output at most two have a weight. Channels that fill no four are counted as if zeros followed them.
constexpr const char* kTwoOfFour = "2:4";
constexpr double kTwoOfFourSparsity = 0.5;
constexpr std::int64_t kPatternGroup = 4, kPatternKept = 2;
// Weights that the pattern leaves of `elements` whose axis of input channels has `channels` entries.
std::int64_t kept_by_pattern(std::int64_t elements, std::int64_t channels);

// 4x1: four consecutive output channels have a weight at an input (a channel at a place of the kernel window) or none of them has, so that
// a kernel loads an input once for four products and a position serves four weights (E. Elsen et al., Fast Sparse ConvNets, CVPR 2020,
// section 3.1; the block of XNNPACK's sparse kernels). Channels that fill no four make a shorter block.
constexpr const char* kBlocksOfFour = "4x1";
constexpr std::int64_t kBlockOutputs = 4;

// Consecutive output channels that are zero together by the layer's pattern: kBlockOutputs or 1.
std::int64_t block_outputs(const LayerPolicy& layer);

// What of a weight stays or goes as a whole.
struct WeightUnits {
  std::int64_t count, kept;  // all, and those that stay
  std::int64_t size;         // weights a unit, at most
  bool operator==(const WeightUnits&) const = default;
};
// Of a weight of `elements` whose axes of input and output channels have so many entries; all stay where the layer is not sparse.
WeightUnits weight_units(std::int64_t elements, std::int64_t in_channels, std::int64_t out_channels, const LayerPolicy& layer);

// The axes of a layer's weight. Products are summed over `input` (for a grouped Conv axis 1 holds in / group).
struct WeightAxes {
  int input, output;
};
WeightAxes weight_axes(const models::Network& network, const models::Node& layer);
// The same for a weight of `rank` that the layer reads as its input `operand`, a constant or what one is dequantized to.
WeightAxes weight_axes(const models::Node& layer, int operand, int rank);

// By element, whether it stays: the largest magnitudes of the layer, or of each four input channels, or the blocks of the largest sums of
// squares. Of equal ones the later stay.
std::vector<bool> kept_by_magnitude(const models::Tensor& weight, WeightAxes axes, const LayerPolicy& layer);

bool is_sparse(const LayerPolicy& layer);
bool is_sparse(const Policy& policy);

// How the network of a policy is written.
models::SparseInitializers sparse_initializers_for(const Policy& policy);

// The network with zeros in the weights of the policy's sparse layers, by magnitude. Throws UserError as layer_policies does.
models::Network sparsify_by_magnitude(const models::Network& network, const Policy& policy);

// The sparsity of each named layer that together leave out `sparsity` of their weights: the weights of the smallest scores go wherever they
// are. The score of a weight is its square over the sum of the squares of its layer's weights that are not smaller (LAMP: J. Lee et al.,
// Layer-Adaptive Sparsity for the Magnitude-Based Pruning, ICLR 2021, eq. 4), so that layers whose weights are small throughout are not
// emptied, as plain global magnitude does.
std::vector<double> global_sparsities(const models::Network& network, const std::vector<std::string>& layers, double sparsity);

// The policy as it is after `step` of `steps` of a progressive schedule: s_f (1 - (1 - step / steps)^3) of the weights are gone (M. Zhu, S.
// Gupta, To Prune, or Not to Prune, 2017, eq. 1, from 0). Patterns of fixed sparsity are complete from the first step on.
Policy at_sparsity_step(Policy policy, int step, int steps);

}  // namespace lathe::policies
