#include "search/evolution/nsga2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "models/base/rng.h"

namespace lathe::search {
namespace {

using ::testing::ElementsAre;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<Individual> individuals(const std::vector<Point>& points) {
  std::vector<Individual> made;
  for (const Point& p : points) made.push_back({.objectives = p});
  return made;
}

TEST(FastNonDominatedSort, PeelsFrontAfterFront) {
  auto all = individuals({{1, 5}, {2, 2}, {5, 1}, {3, 3}, {6, 6}, {2, 6}});
  EXPECT_THAT(fast_non_dominated_sort(all), ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 5), ElementsAre(4)));
  EXPECT_EQ(all[4].rank, 2);
}

// Law: a member of front r is dominated by one of front r - 1 and by none of its own front or later.
TEST(FastNonDominatedSort, KeepsItsLawOnRandomPoints) {
  Rng rng(1, "sort");
  std::vector<Individual> all;
  for (int i = 0; i < 80; ++i) {
    all.push_back({.objectives = {static_cast<double>(rng.below(9)), static_cast<double>(rng.below(9)), static_cast<double>(rng.below(9))},
                   .violation = rng.uniform() < 0.2 ? rng.uniform() : 0});
  }
  fast_non_dominated_sort(all);
  for (const Individual& b : all) {
    bool is_dominated_from_above = b.rank == 0;
    for (const Individual& a : all) {
      if (!constrained_dominates(a, b)) continue;
      EXPECT_LT(a.rank, b.rank);
      is_dominated_from_above |= a.rank == b.rank - 1;
    }
    EXPECT_TRUE(is_dominated_from_above);
  }
}

TEST(ConstrainedDominates, RanksFeasibilityFirst) {
  const Individual good{.objectives = {9, 9}}, bad{.objectives = {1, 1}, .violation = 0.5}, worse{.objectives = {0, 0}, .violation = 0.6};
  EXPECT_TRUE(constrained_dominates(good, bad));
  EXPECT_TRUE(constrained_dominates(bad, worse));
  EXPECT_FALSE(constrained_dominates(bad, good));
}

// Worked by hand from section III.B: middle point (2, 3): (4 - 1) / 3 + (5 - 2) / 3 = 2.
TEST(Crowding, IsTheNormalizedPerimeterAndInfiniteAtTheEnds) {
  auto all = individuals({{1, 5}, {2, 3}, {4, 2}});
  assign_crowding(all, {0, 1, 2});
  EXPECT_EQ(all[0].crowding, kInfinity);
  EXPECT_DOUBLE_EQ(all[1].crowding, 2);
  EXPECT_EQ(all[2].crowding, kInfinity);
}

TEST(EnvironmentalSelection, FillsTheLastFrontByCrowding) {
  // One front along a line; the pair (2, 3), (2.1, 2.9) crowds itself, so one of it goes first.
  const auto kept = environmental_selection(individuals({{0, 5}, {2, 3}, {2.1, 2.9}, {3.5, 1.5}, {5, 0}, {6, 6}}), 4);
  ASSERT_EQ(kept.size(), 4U);
  int of_pair = 0;
  for (const Individual& i : kept) of_pair += i.objectives[0] == 2 || i.objectives[0] == 2.1;
  EXPECT_EQ(of_pair, 1);
  for (const Individual& i : kept) EXPECT_EQ(i.rank, 0);
}

}  // namespace
}  // namespace lathe::search
