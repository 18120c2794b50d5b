// Pruning criteria by name: which channels of a coupling group to keep. Those of weights are computed here (weight_criteria.h); those that
// must see the network work on data are computed above (evaluators/pruning_importance.h), and policies only know their names.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/channel_scores.h"
#include "policies/coupling_groups.h"
#include "policies/policy.h"

namespace lathe::policies {

// Whether a criterion of channels (of pruning_criteria(), policy.h) runs the network on calibration rows. Then a policy file must say what
// it keeps, or be read where there are data.
bool needs_rows(const std::string& criterion);

// Of a criterion that needs no rows; `seed` steers `random` alone.
Importance weight_importance(const models::Network& network, const CouplingAnalysis& analysis, const std::string& criterion,
                             std::uint64_t seed = 0);

// Number of channels that an entry keeps of its group: `kept`, `channels` or the rounded `keep_ratio`, at least one.
std::int64_t kept_count(const GroupPolicy& entry, const CouplingGroup& group);

// The `count` indices of highest importance, ascending; ties go to the lower index.
std::vector<std::int64_t> most_important(const std::vector<double>& importance, std::int64_t count);

}  // namespace lathe::policies
