// Pruning criteria that need nothing but the weights. F_c: the weights of all layers' filters that make output channel c; a filter's score
// is summed over the layers that are coupled.
#pragma once

#include <cstdint>

#include "models/network.h"
#include "policies/channel_scores.h"
#include "policies/coupling_groups.h"

namespace lathe::policies {

// sum |w| over F_c. H. Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017, section 3.1.
Importance l1_importance(const models::Network& network, const CouplingAnalysis& analysis);

// (sum w^2 over F_c)^(1/2). Y. He et al., Soft Filter Pruning for Accelerating Deep Convolutional Neural Networks, IJCAI 2018,
// eq. 2 with p = 2.
Importance l2_importance(const models::Network& network, const CouplingAnalysis& analysis);

// |gamma_c| of the BatchNormalizations that the group's channels pass. Z. Liu et al., Learning Efficient Convolutional Networks through
// Network Slimming, ICCV 2017, section 3 (gamma of eq. 2). Groups without BatchNormalization are scored by L1.
Importance batch_norm_importance(const models::Network& network, const CouplingAnalysis& analysis);

// sum over the layer's other filters F_j of |F_c - F_j|_2: the filters nearest the geometric median are what the others can best stand for.
// Y. He et al., Filter Pruning via Geometric Median, CVPR 2019, section 3.3.
Importance fpgm_importance(const models::Network& network, const CouplingAnalysis& analysis);

// Uniform in [0, 1): the control that any criterion must beat.
Importance random_importance(const CouplingAnalysis& analysis, std::uint64_t seed);

}  // namespace lathe::policies
