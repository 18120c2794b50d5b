#include "search/warm_start.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <span>

#include "search/constraints.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

using policies::Candidate;
using policies::DecisionKind;
using policies::SearchSpace;

constexpr std::size_t kAccuracy = 0;

class OneMillisecond final : public ExactMetrics {
 public:
  bool compute(const Candidate& /*candidate*/, std::span<double> values) const override {
    values[1] = 1;
    return true;
  }
};

Trial measured(const Candidate& candidate, double accuracy) {
  return {.candidate = candidate, .metrics = {accuracy, 1.0}, .stddev = 0.01};
}

// The index of the decision of that name.
std::size_t decision(const SearchSpace& space, const std::string& name) {
  for (std::size_t d = 0; d < space.decisions.size(); ++d) {
    if (space.decisions[d].name == name) return d;
  }
  ADD_FAILURE() << "no decision " << name;
  return 0;
}

TEST(WarmStart, TakesTheAccuracyAndWorksTheRestOutAnew) {
  const StandardProblem made = make_network_problem({.layers = 3});
  const Candidate candidate = policies::least_compressed(made.problem.space);
  const std::vector<Trial> earlier{measured(candidate, 0.8)};
  const std::vector<Trial> trials = warm_start_trials(made.problem, made.problem.space, earlier, kAccuracy);
  ASSERT_EQ(trials.size(), 1U);
  EXPECT_EQ(trials[0].candidate, candidate);
  EXPECT_EQ(trials[0].agent, "warm_start");
  EXPECT_EQ(trials[0].metrics[0], 0.8);
  EXPECT_EQ(trials[0].stddev, 0.01);
  EXPECT_EQ(trials[0].metrics[1], score_exactly(made.problem, candidate).metrics[1]);
}

TEST(WarmStart, LeavesFailuresAndRepeatsOut) {
  const StandardProblem made = make_network_problem({.layers = 3});
  std::vector<Trial> earlier(3, measured(policies::least_compressed(made.problem.space), 0.8));
  earlier[0].state = TrialState::kFailed;
  const std::vector<Trial> trials = warm_start_trials(made.problem, made.problem.space, earlier, kAccuracy);
  ASSERT_EQ(trials.size(), 1U);
  EXPECT_EQ(trials[0].id, 0);
}

// A search whose space has changed since an earlier run.
class WarmStartOfAChangedSpace : public testing::Test {
 protected:
  WarmStartOfAChangedSpace() { made_.problem.exact = &latency_; }

  // The only trial of the earlier run that is known here; none is a failure.
  Trial only_known(const std::vector<Trial>& earlier) const {
    const std::vector<Trial> trials = warm_start_trials(made_.problem, earlier_space_, earlier, kAccuracy);
    EXPECT_EQ(trials.size(), 1U);
    return trials.empty() ? Trial{.metrics = {0, 0}} : trials.front();
  }

  const OneMillisecond latency_;  // the network's own knows the space as it was
  StandardProblem made_ = make_network_problem({.layers = 3});
  SearchSpace earlier_space_ = made_.problem.space;
};

// The other device executes 2 and 8 bits of the first layer's weights only, and the last decision is in another place.
TEST_F(WarmStartOfAChangedSpace, MatchesPoliciesByNameAndValue) {
  SearchSpace& space = made_.problem.space;
  const std::size_t weight_bits = decision(space, "conv1/weight_bits");
  space.decisions[weight_bits].values = {2, 8};
  std::rotate(space.decisions.begin(), space.decisions.end() - 1, space.decisions.end());
  Candidate two = policies::least_compressed(earlier_space_), four = two;
  two.choices[weight_bits] = 0;   // 2 bits
  four.choices[weight_bits] = 2;  // 4 bits
  const Trial known = only_known({measured(four, 0.7), measured(two, 0.6)});
  EXPECT_EQ(known.metrics[0], 0.6);
  ASSERT_EQ(known.candidate.choices.size(), space.decisions.size());
  EXPECT_EQ(known.candidate.choices[decision(space, "conv1/weight_bits")], 0);
}

// The earlier space decided how many weights conv1 keeps, this one does not: only what kept all of them is known here.
TEST_F(WarmStartOfAChangedSpace, SparseWeightsAreNoDenseOnes) {
  earlier_space_.decisions.push_back({DecisionKind::kKeptWeights, 0, "conv1/kept_weights", {250, policies::kAllWeights}});
  Candidate dense = policies::least_compressed(earlier_space_), sparse = dense;
  sparse.choices.back() = 0;
  EXPECT_EQ(only_known({measured(sparse, 0.7), measured(dense, 0.6)}).metrics[0], 0.6);
}

// A width that is no decision any more must be the one that was measured.
TEST_F(WarmStartOfAChangedSpace, WidthsThatAreFixedMustAgree) {
  SearchSpace& space = made_.problem.space;
  const std::size_t activation_bits = decision(space, "conv3/activation_bits");
  ASSERT_EQ(space.decisions[activation_bits].kind, DecisionKind::kActivationBits);
  space.decisions.erase(space.decisions.begin() + static_cast<std::ptrdiff_t>(activation_bits));
  space.layers[2].activation_bits = 8;
  Candidate eight = policies::least_compressed(earlier_space_), wide = eight;
  eight.choices[activation_bits] = 3;
  EXPECT_EQ(only_known({measured(wide, 0.7), measured(eight, 0.6)}).metrics[0], 0.6);
}

TEST(WarmStart, LeavesOutWhatLimitsForbid) {
  StandardProblem made = make_network_problem({.layers = 3});
  made.problem.metrics[1].limit = 1e-9;
  const std::vector<Trial> earlier{measured(policies::least_compressed(made.problem.space), 0.8)};
  EXPECT_TRUE(warm_start_trials(made.problem, made.problem.space, earlier, kAccuracy).empty());
}

}  // namespace
}  // namespace lathe::search
