// Candidates into policies, and policies into channels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/base/error.h"
#include "network_sketch.h"
#include "policies/pruning_criterion.h"
#include "policies/search_space.h"
#include "policies/workload.h"

namespace lathe::policies {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// conv1 (6) -> conv2 (4) -> head (5); conv2's channels are said to be fixed.
class CandidateTest : public testing::Test {
 protected:
  CandidateTest() {
    NetworkSketch sketch({models::kDynamic, 3, 8, 8});
    const auto a = sketch.unary("relu1", "Relu", sketch.conv("conv1", sketch.input(), 6));
    const auto b = sketch.unary("relu2", "Relu", sketch.conv("conv2", a, 4));
    network_ = sketch.finish({sketch.head(b, 5)});
    network_.sha256 = "feed";
    // Filters of conv1 with L1 norms 27 * {1, 6, 2, 5, 3, 4}.
    std::vector<float> weights;
    for (const float magnitude : {1.0F, -6.0F, 2.0F, 5.0F, -3.0F, 4.0F}) weights.insert(weights.end(), 27, magnitude);
    network_.constants[network_.nodes[0].inputs[1]] = models::Tensor::from<float>({6, 3, 3, 3}, weights);
    analysis_ = analyze_coupling(network_);
    for (CouplingGroup& group : analysis_.groups) {
      if (group.name == "conv2") group.prunable = false, group.reason = "the test says so";
    }
    space_ = make_search_space(network_, analysis_, {.weight_bits = {4, 8, 32}, .activation_bits = {8, 16}}, {.keep_ratios = {0.5}});
  }

  std::string message(const Policy& policy) const {
    try {
      kept_channels(network_, analysis_, policy);
    } catch (const UserError& error) {
      return error.what();
    }
    return "accepted";
  }

  std::vector<std::int64_t> kept_of_conv1(GroupPolicy entry) const {
    entry.name = "conv1";
    const KeptChannels kept = kept_channels(network_, analysis_, {.groups = {entry}});
    for (std::size_t g = 0; g < kept.size(); ++g) {
      if (analysis_.groups[g].name == "conv1") return kept[g];
    }
    return {};
  }

  models::Network network_;
  CouplingAnalysis analysis_;
  SearchSpace space_;
};

TEST_F(CandidateTest, CriteriaThatNeedRowsMustSayWhatIsKept) {
  EXPECT_THAT(message({.groups = {{.name = "conv1", .keep_ratio = 0.5, .criterion = "taylor"}}}),
              testing::HasSubstr("groups[0].kept: missing; expected the kept channels, since criterion 'taylor' needs data to choose them"));
  EXPECT_EQ(message({.groups = {{.name = "conv1", .criterion = "taylor", .kept = {1, 2}}}}), "accepted");
}

TEST_F(CandidateTest, PolicySaysWhatTheCandidateChanges) {
  // Decisions: conv1/keep {3, 6}, then weight bits {4, 8, 32} and activation bits {8, 16} of conv1, conv2 and fc.
  ASSERT_EQ(space_.decisions.size(), 7u);
  const Policy policy = to_policy(network_, space_, {{0, 0, 0, 2, 1, 1, 1}}, weight_importance(network_, analysis_, "l1"), "l1");
  EXPECT_EQ(policy.model_name, "sketch");
  EXPECT_EQ(policy.model_sha256, "feed");
  ASSERT_EQ(policy.groups.size(), 1u);
  EXPECT_EQ(policy.groups[0], (GroupPolicy{.name = "conv1", .keep_ratio = 0.5, .channels = 3, .criterion = "l1", .kept = {1, 3, 5}}));
  ASSERT_EQ(policy.layers.size(), 3u);
  EXPECT_EQ(policy.layers[0].weight_bits, 4);
  EXPECT_EQ(policy.layers[0].weight_format, "int");
  EXPECT_EQ(policy.layers[0].activation_format, "int");
  EXPECT_EQ(policy.layers[1].weight_bits, 32);
  EXPECT_EQ(policy.layers[1].weight_format, "float");
  EXPECT_EQ(policy.layers[1].activation_bits, 16);
  EXPECT_EQ(policy.layers[1].activation_format, "float");
}

TEST_F(CandidateTest, TiedBitsSetWeightsAndActivations) {
  const SearchSpace tied =
      make_search_space(network_, analysis_, {}, {.prune = false, .weight_bits = {8, 32}, .activation_bits = {8, 32}, .tie_bits = true});
  const Policy policy = to_policy(network_, tied, {{0, 1, 1}}, {}, "l1");
  ASSERT_EQ(policy.layers.size(), 1u);
  EXPECT_EQ(policy.layers[0].weight_bits, 8);
  EXPECT_EQ(policy.layers[0].activation_bits, 8);
  const WorkloadBuilder builder(network_, analysis_, 1);
  EXPECT_EQ(setting_of(builder, tied, {{0, 1, 1}}).bits[0].activation, 8);
}

TEST_F(CandidateTest, KeptChannelsComeFromTheListTheCountOrTheRatio) {
  EXPECT_THAT(kept_of_conv1({.kept = {0, 2}}), ElementsAre(0, 2));
  EXPECT_THAT(kept_of_conv1({.channels = 2}), ElementsAre(1, 3));
  EXPECT_THAT(kept_of_conv1({.keep_ratio = 0.6}), ElementsAre(1, 3, 4, 5));  // 3.6 -> 4
  EXPECT_THAT(kept_of_conv1({.keep_ratio = 0.01}), ElementsAre(1));          // at least one
  EXPECT_THAT(kept_of_conv1({.keep_ratio = 1}), IsEmpty());                  // whole
  EXPECT_THAT(kept_of_conv1({.kept = {0, 1, 2, 3, 4, 5}}), IsEmpty());
}

TEST_F(CandidateTest, PoliciesOfAnotherNetworkAreTheUsersError) {
  EXPECT_THAT(message({.groups = {{.name = "conv3", .keep_ratio = 0.5}}}),
              HasSubstr("groups[0].name: the network has no such group (did you mean 'conv1'?), got 'conv3'"));
  EXPECT_THAT(message({.groups = {{.name = "conv2", .keep_ratio = 0.5}}}), HasSubstr("group 'conv2' cannot be pruned: the test says so"));
  EXPECT_EQ(message({.groups = {{.name = "conv2", .keep_ratio = 1}}}), "accepted");
  EXPECT_THAT(message({.groups = {{.name = "conv1", .kept = {0, 6}}}}), HasSubstr("groups[0].kept: expected indices below 6"));
  EXPECT_THAT(message({.groups = {{.name = "conv1", .channels = 7}}}), HasSubstr("groups[0].channels: expected at most 6"));
  EXPECT_THAT(message({.layers = {{.name = "relu1"}}}), HasSubstr("layers[0].name: the network has no such layer"));
  const std::string both = message({.groups = {{.name = "x"}}, .layers = {{.name = "y"}}});
  EXPECT_EQ(std::count(both.begin(), both.end(), '\n'), 1) << both;
}

}  // namespace
}  // namespace lathe::policies
