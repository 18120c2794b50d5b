// Zeros among a layer's weights: how many a policy asks for, where magnitude puts them, and how layers share a sparsity of the network.
//
// A zero that pruning put is a zero in the constant and nothing else: the network that a trial measures, that training continues from and
// that is delivered is one and the same. Training holds zeros in place (TrainOptions::keeps_zeros), rounding to integers does by itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/policy.h"

namespace lathe::policies {

// Weights out of `elements` that stay.
std::int64_t kept_weights(std::int64_t elements, double sparsity);
// The same by the layer's pattern; `channels`: of the weight's axis of input channels.
std::int64_t kept_weights(std::int64_t elements, std::int64_t channels, const LayerPolicy& layer);

// 2:4, the pattern of sparse tensor cores (A. Mishra et al., Accelerating Sparse Deep Neural Networks, 2021, section 3): of each four
// consecutive input channels of an output at most two have a weight. Channels that fill no four are counted as if zeros followed them.
constexpr const char* kTwoOfFour = "2:4";
constexpr std::int64_t kPatternGroup = 4, kPatternKept = 2;
// Weights that the pattern leaves of `elements` whose axis of input channels has `channels` entries.
std::int64_t kept_by_pattern(std::int64_t elements, std::int64_t channels);

// By element, whether it stays: the largest magnitudes of the layer, or of each four input channels (axis `input_axis`). Of equal ones the
// later stay.
std::vector<bool> kept_by_magnitude(const models::Tensor& weight, int input_axis, const LayerPolicy& layer);

// The axis of a layer's weight that its products are summed over (for a grouped Conv axis 1 holds in / group).
int input_channel_axis(const models::Network& network, const models::Node& layer);

bool is_sparse(const LayerPolicy& layer);
bool is_sparse(const Policy& policy);

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
