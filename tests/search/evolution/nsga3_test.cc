#include "search/evolution/nsga3.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace lathe::search {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

std::vector<Individual> individuals(const std::vector<Point>& points) {
  std::vector<Individual> made;
  for (const Point& p : points) made.push_back({.objectives = p});
  return made;
}

// Deb and Jain 2014, section IV.B: three objectives and four divisions give 15 points; table I: 91 for 12 divisions.
TEST(ReferenceDirections, AreTheSimplexLatticeOfTheirPaper) {
  EXPECT_EQ(das_dennis_points(3, 4).size(), 15U);
  EXPECT_EQ(das_dennis_points(3, 12).size(), 91U);
  EXPECT_THAT(das_dennis_points(2, 2), ElementsAre(ElementsAre(0, 1), ElementsAre(0.5, 0.5), ElementsAre(1, 0)));
  for (const Point& point : das_dennis_points(4, 3)) EXPECT_NEAR(std::accumulate(point.begin(), point.end(), 0.0), 1, 1e-12);
}

TEST(ReferenceDirections, AreAsManyAsThePopulationAllows) {
  EXPECT_EQ(reference_directions(3, 20).size(), 15U);
  EXPECT_EQ(reference_directions(3, 21).size(), 21U);
  EXPECT_EQ(reference_directions(5, 2).size(), 5U);  // at least the axes
  EXPECT_EQ(reference_directions(1, 50).size(), 1U);
}

// Extremes (10, 0), (0, 2) after the ideal (1, 5) is taken off: intercepts 10 and 2.
TEST(NormalizedObjectives, DivideByTheInterceptsOfTheExtremePoints) {
  const auto points = normalized_objectives(individuals({{11, 5}, {1, 7}, {3, 6}}));
  EXPECT_THAT(points[0], ElementsAre(DoubleNear(1, 1e-12), DoubleNear(0, 1e-12)));
  EXPECT_THAT(points[1], ElementsAre(DoubleNear(0, 1e-12), DoubleNear(1, 1e-12)));
  EXPECT_THAT(points[2], ElementsAre(DoubleNear(0.2, 1e-12), DoubleNear(0.5, 1e-12)));
}

// One point spans no plane; all are finite nevertheless.
TEST(NormalizedObjectives, LiveWithoutAPlane) {
  EXPECT_THAT(normalized_objectives(individuals({{3, 4, 5}}))[0], ElementsAre(0, 0, 0));
  const auto points = normalized_objectives(individuals({{0, 4, 1}, {1, 2, 1}}));
  EXPECT_THAT(points[1], ElementsAre(1, 0, 0));
}

// Four members for the three directions (0, 1), (0.5, 0.5), (1, 0): of the two near the middle one goes, the one further off its line.
TEST(NichingSelection, KeepsOneForEachDirection) {
  Rng rng(1, "niching");
  const auto kept = niching_selection(individuals({{1, 0}, {0.5, 0.5}, {0.4, 0.58}, {0, 1}}), 3, rng);
  std::set<Point> points;
  for (const Individual& individual : kept) points.insert(individual.objectives);
  EXPECT_EQ(points, (std::set<Point>{{1, 0}, {0.5, 0.5}, {0, 1}}));
}

TEST(NichingSelection, TakesBetterRanksWhole) {
  Rng rng(1, "niching");
  auto all = individuals({{0, 0}, {2, 2}, {1, 3}, {3, 1}});
  all.push_back({.objectives = {-1, -1}, .violation = 1});
  const auto kept = niching_selection(all, 3, rng);
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].objectives, (Point{0, 0}));
  for (const Individual& individual : kept) EXPECT_EQ(individual.violation, 0);
}

}  // namespace
}  // namespace lathe::search
