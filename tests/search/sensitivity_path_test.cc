#include "search/sensitivity_path.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "search/constraints.h"
#include "search/initial_design.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;

TEST(SensitivityPath, FallsInCostAndRisesInExpectedLoss) {
  const StandardProblem made = make_network_problem({.layers = 6, .has_sensitivity = true});
  const auto path = sensitivity_path(made.problem, made.problem.fronts[0], 12);
  ASSERT_GE(path.size(), 8U);
  const Candidate full = uniform_candidate(made.problem.space, 1, 32, 32);
  EXPECT_LT(score_exactly(made.problem, path.front()).metrics[1], 0.6 * score_exactly(made.problem, full).metrics[1])
      << "free changes first";
  double cost_before = std::numeric_limits<double>::infinity(), loss_before = -1;
  for (const Candidate& candidate : path) {
    double loss = 0;
    for (std::size_t d = 0; d < candidate.choices.size(); ++d)
      loss += made.problem.sensitivity[d][static_cast<std::size_t>(candidate.choices[d])];
    const double cost = score_exactly(made.problem, candidate).metrics[1];
    EXPECT_LT(cost, cost_before);
    EXPECT_GT(loss, loss_before);
    EXPECT_LE(loss, 0.5) << "the reference point is 0.5";
    cost_before = cost;
    loss_before = loss;
  }
}

// Two decisions of known worth: brute force over all candidates says which additive trade-offs are best; each point of the path must be
// within one greedy step of it.
TEST(SensitivityPath, IsNearlyTheAdditiveOptimum) {
  StandardProblem made = make_network_problem({.layers = 1, .has_sensitivity = true});
  const auto path = sensitivity_path(made.problem, made.problem.fronts[0], 6);
  ASSERT_GE(path.size(), 3U);
  const auto loss_of = [&](const Candidate& candidate) {
    double loss = 0;
    for (std::size_t d = 0; d < candidate.choices.size(); ++d)
      loss += made.problem.sensitivity[d][static_cast<std::size_t>(candidate.choices[d])];
    return loss;
  };
  for (const Candidate& candidate : path) {
    const double cost = score_exactly(made.problem, candidate).metrics[1];
    double best = std::numeric_limits<double>::infinity();
    for (int a = 0; a < 7; ++a) {
      for (int b = 0; b < 7; ++b) {
        for (int c = 0; c < 5; ++c) {
          const Candidate other{{a, b, c}};
          if (score_exactly(made.problem, other).metrics[1] <= cost) best = std::min(best, loss_of(other));
        }
      }
    }
    EXPECT_LE(loss_of(candidate), best + 0.05);
  }
}

TEST(SensitivityPath, KeepsLimitsAndIsEmptyWithoutSensitivities) {
  StandardProblem made = make_network_problem({.layers = 5, .has_sensitivity = true});
  const double full = score_exactly(made.problem, uniform_candidate(made.problem.space, 1, 32, 32)).metrics[1];
  made.problem.metrics[1].limit = 0.5 * full;
  const auto path = sensitivity_path(made.problem, made.problem.fronts[0], 5);
  EXPECT_FALSE(path.empty());
  for (const Candidate& candidate : path) EXPECT_LE(score_exactly(made.problem, candidate).metrics[1], 0.5 * full);
  const StandardProblem plain = make_network_problem({.layers = 5});
  EXPECT_TRUE(sensitivity_path(plain.problem, plain.problem.fronts[0], 5).empty());
  EXPECT_EQ(initial_candidates(plain.problem), uniform_candidates(plain.problem));
}

}  // namespace
}  // namespace lathe::search
