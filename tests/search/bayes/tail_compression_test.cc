#include "search/bayes/tail_compression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace lathe::search {
namespace {

const std::vector<double> kRaw{0, 2, 4, 6, 8};  // quartiles 2 and 6: the reach is 4

Problem problem_of(const Metric& metric, bool is_objective) {
  Problem problem;
  problem.metrics = {metric};
  problem.fronts.push_back({"front", {}, {}, {}});
  if (is_objective) {
    problem.fronts[0].metrics = {0};
    problem.fronts[0].reference_point = {10};
  } else {
    problem.fronts[0].limited = {0};
  }
  return problem;
}

// By hand: 10 + 4 (1 + ln(40 / 4)) = 23.2103404; slope 4 / 40.
TEST(TailCompression, CompressesObjectivesFarBeyondTheReferencePoint) {
  const TailCompression t(problem_of({.name = "f", .is_measured = true}, true), 0, kRaw);
  EXPECT_EQ(t(-1e6), -1e6);
  EXPECT_EQ(t(10), 10);
  EXPECT_EQ(t(14), 14);
  EXPECT_NEAR(t(50), 23.2103404, 1e-6);
  EXPECT_NEAR(t.slope(50), 0.1, 1e-12);
  EXPECT_LT(t(1e9), 100);
}

TEST(TailCompression, TurnsWithTheDirection) {
  const TailCompression t(problem_of({.name = "f", .direction = Direction::kMaximize, .is_measured = true}, true), 0, kRaw);
  EXPECT_EQ(t(1e6), 1e6);
  EXPECT_NEAR(t(-30), 10 - 13.2103404, 1e-6);
}

TEST(TailCompression, LeavesLimitsInTheirPlace) {
  const TailCompression t(problem_of({.name = "g", .is_measured = true, .limit = 1}, false), 0, kRaw);
  EXPECT_EQ(t(1), 1);
  EXPECT_NEAR(t(41), 1 + 13.2103404, 1e-6);
  EXPECT_NEAR(t(-39), 1 - 13.2103404, 1e-6);
}

TEST(TailCompression, IsSmoothAndRises) {
  const TailCompression t(problem_of({.name = "g", .is_measured = true, .limit = 1}, false), 0, kRaw);
  double before = t(-20.05);
  for (double y = -20; y <= 20; y += 0.05) {
    const double step = 1e-6;
    EXPECT_NEAR((t(y + step) - t(y - step)) / (2 * step), t.slope(y), 1e-4) << y;
    EXPECT_GT(t(y), before);
    before = t(y);
  }
}

TEST(TailCompression, DoesNothingWhereNothingIsAsked) {
  const TailCompression t(problem_of({.name = "g", .is_measured = true}, false), 0, kRaw);
  EXPECT_EQ(t(1e9), 1e9);
  const TailCompression constant(problem_of({.name = "f", .is_measured = true}, true), 0, std::vector<double>{3, 3, 3, 3});
  EXPECT_EQ(constant(1e9), 1e9);
}

}  // namespace
}  // namespace lathe::search
