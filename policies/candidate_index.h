// The candidates of a space as numbers: mixed radix, the first decision fastest.
#pragma once

#include <cstdint>

#include "policies/search_space.h"

namespace lathe::policies {

// Number of candidates of the space, saturating at 2^62.
std::uint64_t space_size(const SearchSpace& space);
// index: below space_size.
Candidate candidate_at(const SearchSpace& space, std::uint64_t index);
std::uint64_t index_of(const SearchSpace& space, const Candidate& candidate);

}  // namespace lathe::policies
