// Each walking agent on a problem that random search does not solve in as many trials.
#include "search/rl/walking_agents.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <string>

#include "search/controller.h"
#include "search/standard_problems.h"

namespace lathe::search {
namespace {

// A chain of layers with nine widths each. Large layers want to be narrow, small ones wide: accuracy falls with the squared distance from
// that rule, which the layers' states tell. There are 9^24 policies.
constexpr int kLayers = 24, kLast = 8;

Problem layered_problem(int layers) {
  Problem problem;
  for (int l = 0; l < layers; ++l) {
    const bool is_large = l % 3 == 0;
    policies::LayerInfo info{};
    info.node = l;
    info.name = "conv" + std::to_string(l);
    info.op = "Conv";
    info.in_channels = info.out_channels = is_large ? 512 : 16;
    info.kernel = 3;
    info.stride = info.groups = 1;
    info.parameters = info.in_channels * info.out_channels * 9;
    info.macs = info.parameters * 64;
    info.input_elements = info.output_elements = info.out_channels * 64;
    problem.space.layers.push_back(info);
    problem.space.groups.push_back({l, info.name, kLast});
    problem.space.decisions.push_back({policies::DecisionKind::kKeptChannels, l, info.name + "/keep", {0, 1, 2, 3, 4, 5, 6, 7, kLast}});
  }
  problem.metrics.push_back({"accuracy", Direction::kMaximize, /*is_measured=*/true});
  problem.fronts.push_back({"accuracy alone", {0}, {0}, {}});
  return problem;
}

double accuracy(const policies::Candidate& candidate) {
  double squares = 0;
  for (std::size_t l = 0; l < candidate.choices.size(); ++l) {
    const double wanted = l % 3 == 0 ? 1 : 6, distance = (candidate.choices[l] - wanted) / kLast;
    squares += distance * distance / static_cast<double>(candidate.choices.size());
  }
  return std::max(0.0, 1 - 4 * squares);
}

constexpr int kTrials = 150;

struct Curve {
  std::vector<double> reached;  // by trial
  std::map<std::string, std::string> learned;
};

Curve curve(const std::string& kind, std::uint64_t seed, int layers = kLayers, int trials = kTrials, const std::string& learned = "") {
  const Problem problem = layered_problem(layers);
  ControllerCallbacks callbacks;
  callbacks.measure = [](const policies::Candidate& candidate) { return Measurement{.value = accuracy(candidate)}; };
  const SearchResult found =
      run_search(problem, {{kind, "", {}, learned}}, {.trials = trials, .threads = 2, .seed = seed}, callbacks);
  Curve curve{.learned = found.learned};
  for (const Trial& trial : found.trials) curve.reached.push_back(trial.metrics[0]);
  return curve;
}

double mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

class WalkingAgents : public testing::TestWithParam<std::string> {};

TEST_P(WalkingAgents, SolveWhatRandomSearchDoesNot) {
  constexpr double kSolved = 0.7;
  for (const std::uint64_t seed : {1, 2}) {
    const std::vector<double> learned = curve(GetParam(), seed).reached, drawn = curve("quasi_random", seed).reached;
    const double best = *std::max_element(learned.begin(), learned.end()), best_drawn = *std::max_element(drawn.begin(), drawn.end());
    const double start = mean(std::span(learned).first(16)), late = mean(std::span(learned).last(40));
    std::cout << GetParam() << " " << best << ", quasi_random " << best_drawn << ", start " << start << ", late " << late << std::endl;
    EXPECT_LT(best_drawn, kSolved);
    EXPECT_GT(best, kSolved);
    EXPECT_GT(late, start + 0.15);  // the curve rises from the space-filling start
  }
}

// What was learned of 24 layers serves a network of 36 from the first trial on.
TEST_P(WalkingAgents, StartAnotherNetworkWithWhatTheyLearned) {
  constexpr int kLarger = 36, kFew = 24;
  const std::map<std::string, std::string> learned = curve(GetParam(), 1).learned;
  const double fresh = mean(curve(GetParam(), 2, kLarger, kFew).reached);
  const Curve taught = curve(GetParam(), 2, kLarger, kFew, learned.at(GetParam()));
  std::cout << GetParam() << " fresh " << fresh << ", taught " << mean(taught.reached) << std::endl;
  EXPECT_GT(mean(taught.reached), fresh + 0.15);
  EXPECT_EQ(taught.reached, curve(GetParam(), 2, kLarger, kFew, learned.at(GetParam())).reached);
}

INSTANTIATE_TEST_SUITE_P(Kinds, WalkingAgents, testing::Values("ddpg", "td3", "sac", "ppo"), [](const auto& info) { return info.param; });

}  // namespace
}  // namespace lathe::search
