// The decisions of a search that change the architecture: which residual blocks stay, and at which rank layers are factored.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/coupling_groups.h"
#include "policies/residual_blocks.h"
#include "policies/search_space.h"

namespace lathe::policies {

// Throws UserError where the network has none.
std::vector<ResidualBlock> blocks_to_decide(const models::Network& network);
// The blocks that hold nothing frozen, with their layers among `layers`. Their groups are not known yet.
std::vector<BlockInfo> removable_blocks(const std::vector<ResidualBlock>& blocks, const std::vector<LayerInfo>& layers,
                                        const std::function<bool(const std::string&)>& is_frozen);
// Fills in the groups of the space's blocks: those of which a value within the branch has channels, and none outside,
// and those of tokens that attention within the branch chooses.
void find_groups_of_blocks(const models::Network& network, const CouplingAnalysis& analysis, SearchSpace& space);

Decision block_decision(const SearchSpace& space, int block);
// ratios: per mille of the full rank. Of equal ranks one value; nothing where no rank of the layer saves multiplications.
std::optional<Decision> rank_decision(const models::Network& network, const SearchSpace& space, int layer, const std::set<int>& ratios);
// Throws UserError where the space has no such decision.
void check_has_ranks(const SearchSpace& space);

}  // namespace lathe::policies
