// What an earlier search measured, as the first trials of this one. An accuracy does not depend on the device, so that a policy which was
// measured for one is a finished trial for any other.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "policies/search_space.h"
#include "search/problem.h"
#include "search/trial.h"

namespace lathe::search {

inline constexpr const char* kWarmStartAgent = "warm_start";  // who proposed them, as reports say

// Index of the problem's first measured metric; there must be one.
std::size_t measured_metric(const Problem& problem);

// The complete trials among `earlier`, of candidates of `space`, whose policies this problem's space holds too: same kept channels,
// widths and kept weights by name of group and layer, whatever decides them. Their measured metric is taken over, all others are the problem's own; those
// that its limits forbid are left out. Ids from 0, in the order of `earlier`. measured: index of the measured metric in trials of
// `earlier`.
std::vector<Trial> warm_start_trials(const Problem& problem, const policies::SearchSpace& space, std::span<const Trial> earlier,
                                     std::size_t measured);

}  // namespace lathe::search
