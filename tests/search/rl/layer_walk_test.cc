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
  EXPECT_EQ(narrow.states.size(), static_cast<std::size_t>(walk.length() * LayerWalk::state_size()));
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

// Accuracy alone under a limit: what is limited is the cost, and every walk goes for the limit itself.
TEST(LayerWalk, GoesForTheLimitWhereNothingElseIsWanted) {
  StandardProblem made = make_network_problem({.layers = 6});
  const double full = made.problem.fronts[0].reference_point[1] / 1.05;  // latency of the uncompressed network
  made.problem.metrics[1].limit = 0.5 * full;
  made.problem.fronts[0] = {"narrow", {0}, {0.5}, {1}};
  const LayerWalk walk(made.problem);
  EXPECT_TRUE(walk.budget_range(0).is_point());
  EXPECT_NEAR(walk.budget_range(0).high, 0.5, 1e-12);
  const auto most = [](std::span<const float>) { return 1.0; };
  const double spent = walk.cost(0, walk.walk(0, walk.budget_range(0).high, most));
  EXPECT_LE(spent, 0.5);
  EXPECT_GT(spent, 0.4);
}

TEST(LayerWalk, StatesHaveOneSizeWhateverTheNetworkAndTheDevices) {
  const StandardProblem small = make_network_problem({.layers = 3, .devices = 1}), large = make_network_problem({.layers = 9, .devices = 2});
  for (const StandardProblem* made : {&small, &large}) {
    const LayerWalk walk(made->problem);
    std::size_t size = 0;
    walk.walk(0, 1, [&](std::span<const float> state) {
      size = state.size();
      return 0.5;
    });
    EXPECT_EQ(size, static_cast<std::size_t>(LayerWalk::state_size()));
  }
}

// Value 1 is dearer than value 2 in every decision: what is cheapest is value 0 for two of them, but 2 where 0 means unpacking.
class UnpackingMetrics final : public ExactMetrics {
 public:
  bool compute(const Candidate& candidate, std::span<double> values) const override {
    static constexpr double kCost[3][4] = {{1, 4, 2, 8}, {5, 4, 2, 8}, {1, 4, 2, 8}};
    values[1] = 0;
    for (std::size_t d = 0; d < 3; ++d) values[1] += kCost[d][candidate.choices[d]];
    return true;
  }
};

// Every budget from the least cost (1 + 2 + 1 of 24) up is kept exactly, also where costs do not rise with the value; and nothing
// that could be afforded is refused.
TEST(LayerWalk, ClipsExactlyWhereCompressionDoesNotAlwaysSave) {
  Problem problem;
  const UnpackingMetrics exact;
  problem.exact = &exact;
  for (int d = 0; d < 3; ++d) problem.space.decisions.push_back({policies::DecisionKind::kWeightBits, d, "w", {2, 4, 8, 32}});
  problem.metrics = {{"accuracy", Direction::kMaximize, true}, {"latency_ms", Direction::kMinimize}};
  problem.fronts = {{"device", {0, 1}, {0, 24}, {}}};
  const LayerWalk walk(problem);
  EXPECT_EQ(walk.cheapest(0).choices, (std::vector<int>{0, 2, 0}));
  EXPECT_DOUBLE_EQ(walk.budget_range(0).low, 4.0 / 24);
  for (int cost = 4; cost <= 24; ++cost) {
    const double budget = cost / 24.0 + 1e-12;
    for (const double action : {0.0, 0.3, 0.6, 0.99}) {
      EXPECT_LE(walk.cost(0, walk.walk(0, budget, [&](std::span<const float>) { return action; })), budget) << cost << " " << action;
    }
  }
  const double seven = 7.0 / 24 + 1e-12;  // action 0.3 wants 4 each: the first can have it (4 + 2 + 1), then nothing is left
  EXPECT_EQ(walk.walk(0, seven, [](std::span<const float>) { return 0.3; }).choices, (std::vector<int>{1, 2, 0}));
}

}  // namespace
}  // namespace lathe::search
