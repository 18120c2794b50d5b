// The policies of the public table: ResNet-20 for CIFAR-10, three decisions for each of its three stages. The first layer and the
// classifier have 8 bits; channels that pass through the shortcuts are kept.
#pragma once

#include <cstdint>

#include "models/network.h"
#include "policies/channel_scores.h"
#include "policies/coupling_groups.h"
#include "policies/policy.h"
#include "policies/search_space.h"

namespace lathe::bench {

// Kept channels of the blocks' inner convolutions, weight bits, activation bits, stage by stage. A stage stands for its layers: MACs,
// parameters and elements are their sums, shapes those of its last layer. Throws UserError where `network` is no such ResNet.
policies::SearchSpace resnet20_lattice(const models::Network& network);

// What the candidate says for every group and layer of the network. importance: of criterion l1, by group of `analysis`.
policies::Policy lattice_policy(const models::Network& network, const policies::CouplingAnalysis& analysis,
                                const policies::Importance& importance, const policies::SearchSpace& lattice,
                                const policies::Candidate& candidate);

}  // namespace lathe::bench
