#include "search/bayes/trust_regions.h"

#include <gtest/gtest.h>

#include <cmath>

#include "search/bayes/kernel.h"
#include "search/controller.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;
using policies::DecisionKind;

// Two decisions of 101 even values, two measured objectives to be minimized below (1, 1).
Problem plane() {
  Problem problem;
  std::vector<int> values;
  for (int v = 0; v <= 100; ++v) values.push_back(v);
  for (const char* name : {"x", "y"}) problem.space.decisions.push_back({DecisionKind::kKeptChannels, 0, name, values});
  problem.metrics = {{"f", Direction::kMinimize, /*is_measured=*/true}, {"g", Direction::kMinimize, /*is_measured=*/true}};
  problem.fronts = {{"front", {0, 1}, {1, 1}}};
  return problem;
}

Trial trial(std::vector<int> choices, double f, double g) {
  return {.candidate = {std::move(choices)}, .metrics = {f, g}};
}

constexpr TrustRegionOptions kTwo{.regions = 2, .successes = 2, .failures = 3, .length = 0.4, .shortest = 0.15, .longest = 1};

TEST(TrustRegions, LieAboutTheMembersOfTheLargestContributions) {
  const Problem problem = plane();
  TrustRegions regions(problem, problem.fronts[0], kTwo);
  EXPECT_FALSE(regions.has_boxes());
  // Contributions below (1, 1): 0.1 * 0.3 of the first, 0.3 * 0.3 of the second, 0.1 * 0.1 of the third; the fourth is dominated.
  regions.learn(
      std::vector<Trial>{trial({10, 10}, 0.5, 0.4), trial({50, 50}, 0.6, 0.1), trial({90, 90}, 0.9, 0.0), trial({20, 20}, 0.7, 0.7)});
  ASSERT_TRUE(regions.has_boxes());
  const Eigen::VectorXd even = Eigen::VectorXd::Zero(2);
  EXPECT_EQ(regions.box(0, even).center, (Candidate{{50, 50}}));
  EXPECT_EQ(regions.box(1, even).center, (Candidate{{10, 10}}));
}

TEST(TrustRegions, SidesFollowTheLengthScalesAndStayInTheSpace) {
  const Problem problem = plane();
  TrustRegions regions(problem, problem.fronts[0], kTwo);
  regions.learn(std::vector<Trial>{trial({50, 95}, 0.5, 0.5)});
  Eigen::VectorXd lengths(2);
  lengths << std::log(4.0), std::log(0.25);  // sides 0.4 * 4 and 0.4 / 4
  const TrustBox box = regions.box(0, lengths);
  const std::vector<std::vector<double>> z = value_positions(problem.space);
  EXPECT_EQ(box.low[0], 0);
  EXPECT_EQ(box.high[0], 100);
  EXPECT_NEAR(z[1][95] - z[1][static_cast<std::size_t>(box.low[1])], 0.05, 0.011);
  EXPECT_NEAR(z[1][static_cast<std::size_t>(box.high[1])] - z[1][95], 0.05, 0.011);
  EXPECT_EQ(box.nearest(1, 0), box.low[1]);
  EXPECT_EQ(box.nearest(1, 95), 95);
  lengths << std::log(1e6), std::log(1e-6);
  const TrustBox thin = regions.box(0, lengths);
  EXPECT_EQ(thin.low[1], 94) << "one step is always allowed";
  EXPECT_EQ(thin.high[1], 96);
}

// TuRBO's rule: doubled after two successes in a row, halved after three failures, anew below the shortest.
TEST(TrustRegions, GrowAndShrinkWithTheirOwnLuck) {
  const Problem problem = plane();
  TrustRegions regions(problem, problem.fronts[0], kTwo);
  int x = 0;
  const auto propose = [&](int region, double f, double g) {
    const Candidate candidate{{++x, 0}};
    regions.note(region, candidate);
    regions.learn(std::vector<Trial>{trial(candidate.choices, f, g)});
  };
  propose(0, 0.9, 0.9);
  EXPECT_EQ(regions.length(0), 0.4);
  propose(0, 0.8, 0.8);
  EXPECT_EQ(regions.length(0), 0.8);
  for (int i = 0; i < 2; ++i) propose(0, 0.95, 0.95);
  propose(0, 0.7, 0.7);
  EXPECT_EQ(regions.length(0), 0.8) << "failures count in a row";
  for (int i = 0; i < 3; ++i) propose(0, 0.95, 0.95);
  EXPECT_EQ(regions.length(0), 0.4);
  EXPECT_EQ(regions.length(1), 0.4) << "that nothing came from";
  for (int i = 0; i < 3; ++i) propose(1, 0.95, 0.95);
  EXPECT_EQ(regions.length(1), 0.2);
  for (int i = 0; i < 3; ++i) propose(1, 0.95, 0.95);
  EXPECT_EQ(regions.length(1), 0.4) << "0.1 is too short";
  regions.learn(std::vector<Trial>{trial({99, 99}, 0.1, 0.1)});
  EXPECT_EQ(regions.length(0), 0.4) << "somebody else's success";
}

TEST(TrustRegions, KeepASearchReproducible) {
  const StandardProblem made = make_network_problem({.layers = 6});
  ControllerCallbacks callbacks;
  callbacks.measure = [&made](const Candidate& candidate) { return Measurement{.value = made.measured(candidate), .stddev = made.stddev}; };
  const auto run = [&](int threads, double regions) {
    return run_search(made.problem, {{"bayes", "", {{"trust_regions", regions}}}}, {.trials = 60, .threads = threads, .seed = 1}, callbacks)
        .trials;
  };
  const std::vector<Trial> trials = run(1, 3);
  EXPECT_EQ(run(2, 3), trials);
  EXPECT_NE(run(1, 0), trials);
  EXPECT_EQ(run(1, -1), run(1, 0)) << "18 decisions are not many";
}

}  // namespace
}  // namespace lathe::search
