// Where a removed block leaves decisions without effect, candidates that mean the same are one trial.
#include <gtest/gtest.h>

#include <set>

#include "search/controller.h"

namespace lathe::search {
namespace {

using policies::Candidate;
using policies::DecisionKind;

// Cost: the sum of the choices of the canonical candidate.
class SumOfChoices final : public ExactMetrics {
 public:
  explicit SumOfChoices(const policies::SearchSpace& space) : space_(space) {}
  bool compute(const Candidate& candidate, std::span<double> values) const override {
    values[1] = 0;
    for (const int choice : policies::canonical(space_, candidate).choices) values[1] += choice;
    return true;
  }

 private:
  const policies::SearchSpace& space_;
};

// A block with three choices inside and one decision of two outside: 2 * 3 * 2 candidates, of which (3 + 1) * 2 differ.
Problem problem_with_a_block() {
  Problem problem;
  problem.space.decisions = {{DecisionKind::kKeptBlock, 0, "add/kept_block", {0, 1}},
                             {DecisionKind::kKeptChannels, 0, "inner/keep", {4, 8, 16}},
                             {DecisionKind::kWeightBits, 0, "outer/weight_bits", {4, 8}}};
  problem.space.blocks = {{.name = "add", .nodes = {1, 2}, .layers = {1}, .groups = {0}}};
  problem.space.groups = {{.group = 0, .name = "inner", .channels = 16}};
  problem.space.layers.resize(2);
  problem.metrics = {{.name = "accuracy", .direction = Direction::kMaximize, .is_measured = true}, {.name = "cost"}};
  problem.fronts = {{.name = "device", .metrics = {0, 1}, .reference_point = {0, 10}}};
  return problem;
}

TEST(CanonicalProposals, EachMeaningIsMeasuredOnceByEveryAgent) {
  for (const AgentKind& kind : agent_kinds()) {
    SCOPED_TRACE(kind.kind);
    Problem problem = problem_with_a_block();
    const SumOfChoices cost(problem.space);
    problem.exact = &cost;
    ControllerCallbacks callbacks;
    callbacks.measure = [](const Candidate& candidate) { return Measurement{.value = 0.1 * candidate.choices[2] + 0.5}; };
    const SearchResult result = run_search(problem, {{kind.kind, "", {}}}, {.trials = 30, .threads = 2, .seed = 1}, callbacks);
    EXPECT_TRUE(result.is_exhausted);
    ASSERT_EQ(result.trials.size(), 8U);
    std::set<Candidate> distinct;
    for (const Trial& trial : result.trials) {
      EXPECT_EQ(policies::canonical(problem.space, trial.candidate), trial.candidate);
      distinct.insert(trial.candidate);
    }
    EXPECT_EQ(distinct.size(), 8U);
  }
}

}  // namespace
}  // namespace lathe::search
