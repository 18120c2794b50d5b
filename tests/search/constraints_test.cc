#include "search/constraints.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "search/initial_design.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;

TEST(MeetsLimit, FollowsTheDirection) {
  const Metric at_most{"latency", Direction::kMinimize, false, 2}, at_least{"accuracy", Direction::kMaximize, true, 0.9}, free{"size"};
  EXPECT_TRUE(meets_limit(at_most, 2));
  EXPECT_FALSE(meets_limit(at_most, 2.1));
  EXPECT_TRUE(meets_limit(at_least, 0.9));
  EXPECT_FALSE(meets_limit(at_least, 0.89));
  EXPECT_TRUE(meets_limit(free, 1e300));
  EXPECT_FALSE(meets_limit(free, std::nan("")));
  EXPECT_FALSE(meets_limit(at_most, std::nan("")));
}

TEST(Repaired, CompressesJustUntilTheLimitHolds) {
  StandardProblem made = make_network_problem({.layers = 6});
  const Candidate full = uniform_candidate(made.problem.space, 1, 32, 32);
  const double full_latency = score_exactly(made.problem, full).metrics[1];
  made.problem.metrics[1].limit = 0.4 * full_latency;
  Rng rng(1, "repair");
  double total = 0;
  for (int i = 0; i < 20; ++i) {
    const auto lower = repaired(made.problem, nullptr, full, rng);
    ASSERT_TRUE(lower);
    const double latency = score_exactly(made.problem, *lower).metrics[1];
    EXPECT_LE(latency, 0.4 * full_latency);
    total += latency;
  }
  // One step of one of 18 decisions changes latency by a few percent, so the mean lies close below the limit.
  EXPECT_GE(total / 20, 0.32 * full_latency);
}

TEST(Repaired, LeavesAllowedOnesAloneAndGivesUpOnTheImpossible) {
  StandardProblem made = make_network_problem({.layers = 4});
  const Candidate full = uniform_candidate(made.problem.space, 1, 32, 32);
  Rng rng(1, "repair");
  EXPECT_EQ(repaired(made.problem, nullptr, full, rng), full);
  made.problem.metrics[1].limit = 1e-9;
  EXPECT_FALSE(repaired(made.problem, nullptr, full, rng));
}

TEST(LeastViolation, NeedsOneFrontOnly) {
  StandardProblem made = make_network_problem({.layers = 4, .devices = 2});
  const Candidate full = uniform_candidate(made.problem.space, 1, 32, 32);
  made.problem.metrics[1].limit = 1e-9;
  EXPECT_GT(violation(made.problem, made.problem.fronts[0], score_exactly(made.problem, full)), 0);
  EXPECT_EQ(least_violation(made.problem, score_exactly(made.problem, full)), 0);
  made.problem.metrics[2].limit = 1e-9;
  EXPECT_GT(least_violation(made.problem, score_exactly(made.problem, full)), 0);
}

}  // namespace
}  // namespace lathe::search
