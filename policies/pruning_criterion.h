// Which channels of a group to keep. Scores are summed over all layers that produce the group's channels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policies/coupling_groups.h"

namespace lathe::policies {

// Importance of each channel of each group, by the L1 norm of the filters that produce it.
// H. Li et al., Pruning Filters for Efficient ConvNets, ICLR 2017, section 3.1 (sum of absolute kernel weights), summed over coupled layers.
std::vector<std::vector<double>> l1_importance(const models::Network& network, const CouplingAnalysis& analysis);

// The `count` indices of highest importance, ascending; ties go to the lower index.
std::vector<std::int64_t> most_important(const std::vector<double>& importance, std::int64_t count);

}  // namespace lathe::policies
