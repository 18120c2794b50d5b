#include "policies/candidate_index.h"

namespace lathe::policies {

std::uint64_t space_size(const SearchSpace& space) {
  constexpr std::uint64_t kMost = 1ULL << 62;
  std::uint64_t size = 1;
  for (const Decision& decision : space.decisions) {
    const std::uint64_t values = decision.values.size();
    if (size > kMost / values) return kMost;
    size *= values;
  }
  return size;
}

Candidate candidate_at(const SearchSpace& space, std::uint64_t index) {
  Candidate candidate;
  for (const Decision& decision : space.decisions) {
    candidate.choices.push_back(static_cast<int>(index % decision.values.size()));
    index /= decision.values.size();
  }
  return candidate;
}

std::uint64_t index_of(const SearchSpace& space, const Candidate& candidate) {
  std::uint64_t index = 0;
  for (std::size_t d = space.decisions.size(); d-- > 0;)
    index = index * space.decisions[d].values.size() + static_cast<std::uint64_t>(candidate.choices[d]);
  return index;
}

}  // namespace lathe::policies
