#include "policies/candidate_index.h"

#include <gtest/gtest.h>

#include <set>

namespace lathe::policies {
namespace {

SearchSpace space_of(const std::vector<int>& sizes) {
  SearchSpace space;
  for (const int size : sizes)
    space.decisions.push_back({DecisionKind::kWeightBits, 0, "", std::vector<int>(static_cast<std::size_t>(size))});
  return space;
}

TEST(CandidateIndex, SizeSaturatesInsteadOfOverflowing) {
  EXPECT_EQ(space_size(space_of({5, 5, 5})), 125U);
  EXPECT_EQ(space_size(space_of(std::vector<int>(100, 21))), 1ULL << 62);
}

TEST(CandidateIndex, FirstDecisionIsTheFastest) {
  EXPECT_EQ(candidate_at(space_of({3, 4, 2}), 1), (Candidate{{1, 0, 0}}));
  EXPECT_EQ(candidate_at(space_of({3, 4, 2}), 23), (Candidate{{2, 3, 1}}));
}

TEST(CandidateIndex, EachIndexIsOneCandidate) {
  const SearchSpace space = space_of({3, 1, 4, 2});
  std::set<Candidate> seen;
  for (std::uint64_t index = 0; index < space_size(space); ++index) {
    const Candidate candidate = candidate_at(space, index);
    EXPECT_TRUE(is_legal(space, candidate));
    EXPECT_EQ(index_of(space, candidate), index);
    seen.insert(candidate);
  }
  EXPECT_EQ(seen.size(), 24U);
}

}  // namespace
}  // namespace lathe::policies
