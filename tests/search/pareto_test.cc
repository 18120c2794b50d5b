#include "search/pareto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/base/rng.h"

namespace lathe::search {
namespace {

using ::testing::ElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Volume of the union of boxes [p, reference] by inclusion and exclusion over all subsets: independent of any sweep or recursion.
double hypervolume_by_inclusion_exclusion(const std::vector<Point>& points, const Point& reference) {
  double volume = 0;
  for (std::uint32_t subset = 1; subset < (1U << points.size()); ++subset) {
    double box = 1;
    for (std::size_t k = 0; k < reference.size(); ++k) {
      double corner = -std::numeric_limits<double>::infinity();
      for (std::size_t i = 0; i < points.size(); ++i) {
        if (subset >> i & 1) corner = std::max(corner, points[i][k]);
      }
      box *= std::max(0.0, reference[k] - corner);
    }
    volume += __builtin_popcount(subset) % 2 == 1 ? box : -box;
  }
  return volume;
}

// `levels` > 0 draws from a grid, so that coordinates tie.
std::vector<Point> random_points(Rng& rng, int count, std::size_t dimensions, int levels) {
  std::vector<Point> points;
  for (int i = 0; i < count; ++i) {
    Point p;
    for (std::size_t k = 0; k < dimensions; ++k)
      p.push_back(levels > 0 ? static_cast<double>(rng.below(levels)) / levels : rng.uniform() * 1.2);
    points.push_back(p);
  }
  return points;
}

// BoTorch, test/utils/multi_objective/test_hypervolume.py: maximized, reference (0, 0).
TEST(Hypervolume, HasThePublishedValueOfTheFivePoints) {
  const std::vector<Point> maximized{{8.5, 3}, {8.5, 3.5}, {5, 5}, {9, 1}, {4, 5}};
  std::vector<Point> points;
  for (const Point& p : maximized) points.push_back({-p[0], -p[1]});
  EXPECT_DOUBLE_EQ(hypervolume(points, {0, 0}), 37.75);
}

TEST(Hypervolume, EqualsInclusionExclusionInEveryDimension) {
  for (std::size_t dimensions = 1; dimensions <= 6; ++dimensions) {
    for (int repeat = 0; repeat < 30; ++repeat) {
      SCOPED_TRACE(testing::Message() << dimensions << " objectives, repeat " << repeat);
      Rng rng(repeat, "hypervolume", dimensions);
      const std::vector<Point> points = random_points(rng, 9, dimensions, repeat % 2 == 0 ? 4 : 0);
      const Point reference(dimensions, 1.0);
      // 2^9 terms below 1.2^6 each: rounding stays far below 1e-9.
      EXPECT_NEAR(hypervolume(points, reference), hypervolume_by_inclusion_exclusion(points, reference), 1e-9);
    }
  }
}

// A second yardstick for fronts too large for inclusion and exclusion: the share of grid cells that are dominated. Points lie on cell
// corners, so the count is exact.
TEST(Hypervolume, CountsGridCellsOfLargeFronts) {
  constexpr int kGrid = 12;
  for (int repeat = 0; repeat < 5; ++repeat) {
    Rng rng(repeat, "grid");
    const std::vector<Point> points = random_points(rng, 60, 3, kGrid);
    int dominated = 0;
    for (int cell = 0; cell < kGrid * kGrid * kGrid; ++cell) {
      const Point corner{static_cast<double>(cell % kGrid) / kGrid, static_cast<double>(cell / kGrid % kGrid) / kGrid,
                         static_cast<double>(cell / kGrid / kGrid) / kGrid};
      const auto covers = [&](const Point& p) { return p[0] <= corner[0] && p[1] <= corner[1] && p[2] <= corner[2]; };
      dominated += std::any_of(points.begin(), points.end(), covers);
    }
    EXPECT_NEAR(hypervolume(points, {1, 1, 1}), dominated / std::pow(kGrid, 3), 1e-12);
  }
}

TEST(Hypervolume, IgnoresPointsThatDoNotBeatTheReference) {
  EXPECT_EQ(hypervolume({}, {1, 1}), 0);
  EXPECT_EQ(hypervolume({{1, 0}, {0, 1}, {2, -5}, {kNan, 0}}, {1, 1}), 0);
  EXPECT_DOUBLE_EQ(hypervolume({{0.5, 0.5}, {-1, 1.5}}, {1, 1}), 0.25);
}

TEST(NonDominated, EqualsPairwiseComparison) {
  for (std::size_t dimensions = 1; dimensions <= 4; ++dimensions) {
    for (int repeat = 0; repeat < 30; ++repeat) {
      SCOPED_TRACE(testing::Message() << dimensions << " objectives, repeat " << repeat);
      Rng rng(repeat, "non_dominated", dimensions);
      const std::vector<Point> points = random_points(rng, 40, dimensions, 6);
      std::vector<int> expected;
      for (int i = 0; i < 40; ++i) {
        bool is_best = true;
        for (int j = 0; j < 40; ++j) is_best &= !dominates(points[j], points[i]) && !(j < i && points[j] == points[i]);
        if (is_best) expected.push_back(i);
      }
      EXPECT_EQ(non_dominated(points), expected);
    }
  }
}

TEST(Dominates, NeedsOneBetterAndNoneWorse) {
  EXPECT_TRUE(dominates(Point{1, 2}, Point{1, 3}));
  EXPECT_FALSE(dominates(Point{1, 3}, Point{1, 3}));
  EXPECT_FALSE(dominates(Point{0, 4}, Point{1, 3}));
}

class FrontTest : public testing::Test {
 protected:
  FrontTest() {
    problem_.metrics = {
        {"accuracy", Direction::kMaximize, true, 0.5}, {"latency", Direction::kMinimize}, {"size", Direction::kMinimize, false, 10}};
    problem_.fronts = {{"device", {0, 1}, {0.0, 4.0}, {2}}};
  }
  Trial trial(std::int64_t id, double accuracy, double latency, double size) const {
    return {.id = id, .metrics = {accuracy, latency, size}};
  }
  Problem problem_;
};

TEST_F(FrontTest, LimitsOfObjectivesAndOfOtherMetricsBindIt) {
  const Front& front = problem_.fronts[0];
  EXPECT_TRUE(is_feasible(problem_, front, trial(0, 0.5, 1, 10)));
  EXPECT_FALSE(is_feasible(problem_, front, trial(0, 0.49, 1, 10)));
  EXPECT_FALSE(is_feasible(problem_, front, trial(0, 0.9, 1, 10.5)));
  EXPECT_FALSE(is_feasible(problem_, front, trial(0, kNan, 1, 1)));
  EXPECT_FALSE(is_feasible(problem_, front, trial(0, 0.9, std::numeric_limits<double>::infinity(), 1)));
  Trial failed = trial(0, 0.9, 1, 1);
  failed.state = TrialState::kFailed;
  EXPECT_FALSE(is_feasible(problem_, front, failed));
}

TEST_F(FrontTest, ParetoSetIsOrderedByLatency) {
  const std::vector<Trial> trials{trial(0, 0.9, 3, 1), trial(1, 0.6, 1, 1), trial(2, 0.8, 2, 1), trial(3, 0.7, 2.5, 1),
                                  trial(4, 0.95, 1, 99)};
  EXPECT_THAT(pareto_set(problem_, problem_.fronts[0], trials), ElementsAre(1, 2, 0));
  // Strips of latency: [1,2) at 0.6, [2,3) at 0.8, [3,4) at 0.9.
  EXPECT_DOUBLE_EQ(front_hypervolume(problem_, problem_.fronts[0], trials), 0.6 + 0.8 + 0.9);
}

TEST_F(FrontTest, DirectionsAreTurnedToMinimize) {
  EXPECT_THAT(to_minimized(problem_, problem_.fronts[0], {0.9, 3, 1}), ElementsAre(-0.9, 3));
  EXPECT_THAT(minimized_reference(problem_, problem_.fronts[0]), ElementsAre(0, 4));
}

}  // namespace
}  // namespace lathe::search
