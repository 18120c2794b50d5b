#include "search/rl/layer_walk.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/base/rng.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;

TEST(LayerWalk, KeepsEveryBudgetThatCanBeKept) {
  const StandardProblem made = make_network_problem({.layers = 6, .devices = 2});
  const LayerWalk walk(made.problem);
  for (int front = 0; front < 2; ++front) {
    const LayerWalk::Range range = walk.budget_range(front);
    EXPECT_GT(range.low, 0);
    EXPECT_LT(range.low, 0.5);
    EXPECT_DOUBLE_EQ(range.high, 1);
    for (int i = 0; i <= 20; ++i) {
      const double budget = range.low + (range.high - range.low) * i / 20;
      Rng rng(i, "walk_test");
      const Candidate candidate = walk.walk(front, budget, [&](std::span<const float>) { return rng.uniform(); });
      EXPECT_LE(walk.cost(front, candidate), budget * (1 + 1e-12)) << i;
    }
  }
}

// Greedy spending: with the action "as much as possible" clipping alone decides, and nearly all of the budget is used.
TEST(LayerWalk, ClipsNoMoreThanTheBudgetAsks) {
  const StandardProblem made = make_network_problem({.layers = 6});
  const LayerWalk walk(made.problem);
  const auto most = [](std::span<const float>) { return 1.0; };
  EXPECT_DOUBLE_EQ(walk.cost(0, walk.walk(0, 1.0, most)), 1);
  EXPECT_GT(walk.cost(0, walk.walk(0, 0.5, most)), 0.4);
}

TEST(LayerWalk, EpisodeOfAWalkRepeatsItsStatesAndActions) {
  const StandardProblem made = make_network_problem({.layers = 4});
  const LayerWalk walk(made.problem);
  Rng rng(1, "episode_test");
  std::vector<float> seen;
  const Candidate candidate = walk.walk(0, 1.0, [&](std::span<const float> state) {
    seen.insert(seen.end(), state.begin(), state.end());
    return rng.uniform();
  });
  const LayerWalk::Episode episode = walk.episode(0, 1.0, candidate);
  EXPECT_EQ(episode.states, seen);
  std::size_t d = 0;
  const Candidate repeated = walk.walk(0, 1.0, [&](std::span<const float>) { return static_cast<double>(episode.actions[d++]); });
  EXPECT_EQ(repeated, candidate);
}

TEST(LayerWalk, StatesTellBudgetsDevicesAndProgressApart) {
  const StandardProblem made = make_network_problem({.layers = 3, .devices = 2});
  const LayerWalk walk(made.problem);
  const Candidate full{{6, 6, 4, 6, 6, 4, 6, 6, 4}};
  const auto narrow = walk.episode(0, 0.5, full), wide = walk.episode(1, 0.5, full), other_budget = walk.episode(0, 0.6, full);
  EXPECT_NE(narrow.states, wide.states);
  EXPECT_NE(narrow.states, other_budget.states);
  EXPECT_EQ(narrow.states.size(), static_cast<std::size_t>(walk.length() * walk.state_size()));
  for (const float value : narrow.states) EXPECT_LE(std::abs(value), 4) << "states must be scaled for the networks";
}

TEST(LayerWalk, WithoutACostThereIsNothingToClip) {
  StandardProblem made = make_network_problem({.layers = 3});
  made.problem.fronts[0].metrics = {0};
  made.problem.fronts[0].reference_point = {0.5};
  const LayerWalk walk(made.problem);
  EXPECT_EQ(walk.budget_range(0).low, 1);
  EXPECT_EQ(walk.walk(0, 1, [](std::span<const float>) { return 0.999; }).choices, (std::vector<int>{6, 6, 4, 6, 6, 4, 6, 6, 4}));
}

}  // namespace
}  // namespace lathe::search
