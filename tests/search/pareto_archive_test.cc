#include "search/pareto_archive.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/base/rng.h"
#include "search/pareto.h"

namespace lathe::search {
namespace {

// Law: the archive holds what pairwise comparison of all insertions finds, whatever the order.
TEST(ParetoArchive, EqualsTheNonDominatedSetOfAllInsertions) {
  for (std::size_t dimensions = 1; dimensions <= 5; ++dimensions) {
    for (int repeat = 0; repeat < 10; ++repeat) {
      SCOPED_TRACE(testing::Message() << dimensions << " objectives, repeat " << repeat);
      Rng rng(repeat, "archive", dimensions);
      ParetoArchive archive(dimensions);
      std::vector<Point> points;
      for (int i = 0; i < 600; ++i) {
        Point p;
        // Half of the sets on a grid, where coordinates tie and points repeat.
        for (std::size_t k = 0; k < dimensions; ++k) p.push_back(repeat % 2 == 0 ? static_cast<double>(rng.below(12)) : rng.uniform());
        archive.insert(p, i);
        points.push_back(std::move(p));
      }
      std::vector<std::int64_t> expected;
      std::vector<Point> front;
      for (const int i : non_dominated(points)) {
        expected.push_back(i);
        front.push_back(points[static_cast<std::size_t>(i)]);
      }
      EXPECT_EQ(archive.ids(), expected);
      EXPECT_EQ(archive.points(), front);
      EXPECT_EQ(archive.size(), expected.size());
      const Point reference(dimensions, repeat % 2 == 0 ? 12 : 1);
      // The same boxes in another order: rounding alone.
      EXPECT_NEAR(archive.hypervolume(reference), hypervolume(points, reference), 1e-13 * std::pow(reference[0], dimensions));
    }
  }
}

TEST(ParetoArchive, SaysWhatItTookAndRefusesNan) {
  ParetoArchive archive(2);
  EXPECT_TRUE(archive.insert({1, 3}, 0));
  EXPECT_FALSE(archive.insert({1, 3}, 1)) << "equal to a member";
  EXPECT_FALSE(archive.insert({1, 4}, 2));
  EXPECT_FALSE(archive.insert({0, std::nan("")}, 3));
  EXPECT_TRUE(archive.insert({0, 2}, 4)) << "dominates the first";
  EXPECT_EQ(archive.ids(), (std::vector<std::int64_t>{4}));
}

TEST(HypervolumeGain, IsTheDifferenceOfHypervolumes) {
  for (std::size_t dimensions = 2; dimensions <= 5; ++dimensions) {
    Rng rng(dimensions, "gain");
    std::vector<Point> points;
    const Point reference(dimensions, 1);
    for (int i = 0; i < 25; ++i) {
      Point p;
      for (std::size_t k = 0; k < dimensions; ++k) p.push_back(rng.uniform() * 1.1);
      const double before = hypervolume(points, reference), gain = hypervolume_gain(points, p, reference);
      points.push_back(std::move(p));
      EXPECT_NEAR(gain, hypervolume(points, reference) - before, 1e-12);
    }
  }
}

}  // namespace
}  // namespace lathe::search
