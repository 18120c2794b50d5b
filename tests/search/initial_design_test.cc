#include "search/initial_design.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "search/sensitivity_path.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;

TEST(UniformCandidate, TakesTheNearestChannelsAndTheWidthThatIsNotNarrower) {
  policies::SearchSpace space;
  space.decisions = {{policies::DecisionKind::kKeptChannels, 0, "a", {4, 8, 16}},
                     {policies::DecisionKind::kWeightBits, 0, "w", {2, 8, 32}},
                     {policies::DecisionKind::kActivationBits, 0, "x", {8}}};
  space.layers.resize(1);
  EXPECT_EQ(uniform_candidate(space, 0.5, 4, 4).choices, (std::vector<int>{1, 1, 0}));
  EXPECT_EQ(uniform_candidate(space, 1, 32, 32).choices, (std::vector<int>{2, 2, 0}));
  EXPECT_EQ(uniform_candidate(space, 0.1, 64, 2).choices, (std::vector<int>{0, 2, 0}));
}

// Latency of one layer: the width that the device computes in, which is no narrower than `narrowest_bits`.
class WidthCost final : public ExactMetrics {
 public:
  WidthCost(const policies::SearchSpace& space, int narrowest_bits) : space_(space), narrowest_bits_(narrowest_bits) {}
  bool compute(const Candidate& candidate, std::span<double> values) const override {
    double bits = 0;
    for (std::size_t d = 0; d < candidate.choices.size(); ++d)
      bits += std::max(narrowest_bits_, space_.decisions[d].values[static_cast<std::size_t>(candidate.choices[d])]);
    values[1] = bits;
    return true;
  }

 private:
  const policies::SearchSpace& space_;
  int narrowest_bits_;
};

std::set<int> uniform_widths_on_a_device_of(int narrowest_bits) {
  Problem problem;
  problem.space.decisions = {{policies::DecisionKind::kWeightBits, 0, "w", {2, 3, 4, 5, 6, 7, 8, 16, 32}},
                             {policies::DecisionKind::kActivationBits, 0, "x", {2, 3, 4, 5, 6, 7, 8, 16, 32}}};
  problem.space.layers.resize(1);
  problem.metrics = {{.name = "accuracy", .direction = Direction::kMaximize, .is_measured = true}, {.name = "latency"}};
  problem.fronts = {{.name = "device", .metrics = {0, 1}, .reference_point = {0, 64}}};
  const WidthCost cost(problem.space, narrowest_bits);
  problem.exact = &cost;
  std::set<int> widths;
  for (const Candidate& candidate : uniform_candidates(problem)) {
    if (candidate.choices[0] == candidate.choices[1])
      widths.insert(problem.space.decisions[0].values[static_cast<std::size_t>(candidate.choices[0])]);
  }
  return widths;
}

TEST(UniformCandidates, LeaveOutWhatSavesNothingOnTheDevice) {
  EXPECT_EQ(uniform_widths_on_a_device_of(2), (std::set<int>{3, 4, 5, 6, 7, 8, 16, 32}));
  EXPECT_EQ(uniform_widths_on_a_device_of(8), (std::set<int>{8, 16, 32}));
}

TEST(UniformCandidates, AreDistinctWhereNothingIsKnownOfCosts) {
  StandardProblem made = make_network_problem({.layers = 5});
  made.problem.fronts[0].metrics = {0};
  const auto uniform = uniform_candidates(made.problem);
  EXPECT_GT(uniform.size(), 5U);
  EXPECT_EQ(uniform.front(), uniform_candidate(made.problem.space, 1, 32, 32));
  EXPECT_EQ(std::set<Candidate>(uniform.begin(), uniform.end()).size(), uniform.size());
}

TEST(InitialCandidates, MixThePathsOfAllFrontsIn) {
  const StandardProblem made = make_network_problem({.layers = 5, .devices = 2, .has_sensitivity = true});
  const auto design = initial_candidates(made.problem);
  EXPECT_EQ(design.front(), uniform_candidate(made.problem.space, 1, 32, 32));
  EXPECT_EQ(std::set<Candidate>(design.begin(), design.end()).size(), design.size());
  for (const Front& front : made.problem.fronts) {
    const std::vector<Candidate> path = sensitivity_path(made.problem, front, 8);
    EXPECT_GE(path.size(), 3U) << front.name;
    for (const Candidate& candidate : path) EXPECT_EQ(std::count(design.begin(), design.end(), candidate), 1) << front.name;
  }
}

}  // namespace
}  // namespace lathe::search
