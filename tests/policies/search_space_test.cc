#include "policies/search_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/base/error.h"
#include "network_sketch.h"
#include "policies/search_space_json.h"

namespace lathe::policies {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// conv1 (16) -> conv2 (10) -> head; groups: conv1's 16 channels, conv2's 10.
struct Example {
  models::Network network;
  CouplingAnalysis analysis;

  Example() {
    NetworkSketch sketch({models::kDynamic, 3, 8, 8});
    const auto a = sketch.unary("relu1", "Relu", sketch.conv("conv1", sketch.input(), 16));
    const auto b = sketch.unary("relu2", "Relu", sketch.conv("conv2", a, 10, 2));
    network = sketch.finish({sketch.head(b, 5)});
    analysis = plain_analysis(network);
    analysis.groups = {{.name = "conv1", .channels = 16, .producers = {"conv1"}, .consumers = {"conv2"}},
                       {.name = "conv2", .channels = 10, .producers = {"conv2"}, .consumers = {"fc"}}};
    analysis.axes[static_cast<std::size_t>(network.nodes[0].outputs[0])][1] = {{Factor{.group = 0, .size = 16}}};
    analysis.axes[static_cast<std::size_t>(network.nodes[2].outputs[0])][1] = {{Factor{.group = 1, .size = 10}}};
  }
};

SearchSpace space_of(const Example& example, const DeviceCapabilities& device, const SpaceOptions& options) {
  return make_search_space(example.network, example.analysis, device, options);
}

std::vector<std::string> decision_names(const SearchSpace& space) {
  std::vector<std::string> names;
  for (const Decision& decision : space.decisions) names.push_back(decision.name);
  return names;
}

std::string message_of(const SpaceOptions& options) {
  try {
    space_of(Example(), {}, options);
  } catch (const UserError& error) {
    return error.what();
  }
  return "accepted";
}

// What a run stores of its space, and what is read again to start another from it.
TEST(SearchSpaceJson, GivesTheSameSpaceBack) {
  const SearchSpace space = space_of(Example(), {.runs_two_of_four = true}, {.sparsity = {0.5}, .sparsity_pattern = "2:4"});
  EXPECT_THAT(decision_names(space), testing::Contains("conv2/kept_weights"));
  EXPECT_EQ(policies::space_of(space_json(space)), space);
  nlohmann::json older = space_json(space);
  older.erase("sparsity_pattern");
  EXPECT_EQ(policies::space_of(older).sparsity_pattern, "unstructured");
}

TEST(SearchSpace, DecisionsComeInNetworkOrderWithTheDevicesWidths) {
  const SearchSpace space = space_of(Example(), {.weight_bits = {8, 32}, .activation_bits = {8, 16, 32}}, {});
  EXPECT_THAT(decision_names(space), ElementsAre("conv1/keep", "conv1/weight_bits", "conv1/activation_bits", "conv2/keep",
                                                 "conv2/weight_bits", "conv2/activation_bits", "fc/weight_bits", "fc/activation_bits"));
  EXPECT_THAT(space.decisions[0].values, ElementsAre(4, 6, 8, 10, 12, 14, 16));
  EXPECT_THAT(space.decisions[1].values, ElementsAre(8, 32));
  EXPECT_THAT(space.decisions[2].values, ElementsAre(8, 16, 32));
}

TEST(SearchSpace, KeptChannelsAreGranulesAndTheUnprunedCount) {
  const SearchSpace space = space_of(Example(), {.channel_granularity = 4}, {.keep_ratios = {0.01, 0.5, 0.9}});
  // 16 channels: 0.01 -> at least one granule, 0.5 -> 8, 0.9 * 16 / 4 = 3.6 -> 4 granules. 10 channels: 0.5 * 10 / 4 = 1.25 -> 4;
  // 0.9 * 10 / 4 = 2.25 -> 8; and 10 itself.
  ASSERT_EQ(space.decisions.size(), 2u);  // one legal width: no decision
  EXPECT_THAT(space.decisions[0].values, ElementsAre(4, 8, 16));
  EXPECT_THAT(space.decisions[1].values, ElementsAre(4, 8, 10));
}

TEST(SearchSpace, GroupsSmallerThanAGranuleAreNotDecided) {
  EXPECT_THAT(decision_names(space_of(Example(), {.channel_granularity = 12}, {})), ElementsAre("conv1/keep"));
}

TEST(SearchSpace, GranuleOfAFactorCountsTheOtherFactors) {
  // conv1's channels as 4 heads of width 4: a head is 4 channels, so granularity 8 asks for two heads.
  Example example;
  example.analysis.groups[0].channels = 4;
  example.analysis.axes[static_cast<std::size_t>(example.network.nodes[0].outputs[0])][1] = {{Factor{0, 4}, Factor{-1, 4}}};
  EXPECT_THAT(space_of(example, {.channel_granularity = 8}, {}).decisions[0].values, ElementsAre(2, 4));
}

TEST(SearchSpace, TiedBitsAreOneDecisionForBoth) {
  const SearchSpace space =
      space_of(Example(), {}, {.prune = false, .weight_bits = {4, 8, 32}, .activation_bits = {8, 16, 32}, .tie_bits = true});
  EXPECT_THAT(decision_names(space), ElementsAre("conv1/weight_bits", "conv2/weight_bits", "fc/weight_bits"));
  EXPECT_THAT(space.decisions[0].values, ElementsAre(8, 32));
  EXPECT_THAT(message_of({.weight_bits = {4}, .activation_bits = {8}, .tie_bits = true}), HasSubstr("space.tie_bits"));
}

TEST(SearchSpace, FirstAndLastWidthsAreFixedAndFrozenLayersLeftAlone) {
  const SearchSpace space =
      space_of(Example(), {}, {.prune = false, .weight_bits = {4, 8}, .activation_bits = {4, 8}, .first_last_bits = 8});
  EXPECT_THAT(decision_names(space), ElementsAre("conv2/weight_bits", "conv2/activation_bits"));
  EXPECT_EQ(space.layers[0].weight_bits, 8);
  EXPECT_EQ(space.layers[2].activation_bits, 8);
  const SearchSpace frozen = space_of(Example(), {}, {.weight_bits = {4, 8}, .activation_bits = {8}, .frozen = {"*2", "f*c"}});
  EXPECT_THAT(decision_names(frozen), ElementsAre("conv1/keep", "conv1/weight_bits"));
  EXPECT_EQ(frozen.layers[1].weight_bits, 32);
  EXPECT_EQ(frozen.layers[0].activation_bits, 8);
}

TEST(SearchSpace, NotPrunableGroupsAndNotQuantizableLayersHaveNoDecision) {
  Example example;
  example.analysis.groups[0].prunable = false;
  // conv2's weight is also added to itself: not a layer's use.
  const models::ValueId weight = example.network.nodes[2].inputs[1];
  example.network.nodes.push_back(
      {.name = "spy", .op = "Neg", .inputs = {weight}, .outputs = {example.network.add_value({.name = "spied", .shape = {10, 16, 3, 3}})}});
  example.analysis.axes.emplace_back();
  const SearchSpace space = space_of(example, {.weight_bits = {8, 32}}, {});
  EXPECT_THAT(decision_names(space), ElementsAre("conv1/weight_bits", "conv2/keep", "fc/weight_bits"));
  EXPECT_FALSE(space.layers[1].quantizable);
  EXPECT_THAT(space.layers[1].reason, HasSubstr("'spy' (Neg), which is not a layer"));
}

TEST(SearchSpace, LayersAreDescribed) {
  const SearchSpace space = space_of(Example(), {}, {});
  ASSERT_EQ(space.layers.size(), 3u);
  const LayerInfo& conv2 = space.layers[1];
  EXPECT_EQ(conv2.op, "Conv");
  EXPECT_EQ(conv2.macs, 4 * 4 * 9 * 16 * 10);
  EXPECT_EQ(conv2.parameters, 9 * 16 * 10 + 10);
  EXPECT_EQ(conv2.in_channels, 16);
  EXPECT_EQ(conv2.out_channels, 10);
  EXPECT_EQ(conv2.kernel, 3);
  EXPECT_EQ(conv2.stride, 2);
  EXPECT_EQ(conv2.input_elements, 16 * 8 * 8);
  EXPECT_EQ(conv2.output_elements, 10 * 4 * 4);
  EXPECT_EQ(space.layers[2].in_channels, 10);
  EXPECT_EQ(space.layers[2].out_channels, 5);
}

TEST(SearchSpace, LayersMayKeepLessOfTheirWeightsOrAll) {
  const SearchSpace space = space_of(Example(), {}, {.prune = false, .sparsity = {0.9, 0.5, 0.875}, .frozen = {"conv2"}});
  EXPECT_THAT(decision_names(space), ElementsAre("conv1/kept_weights", "fc/kept_weights"));
  EXPECT_THAT(space.decisions[0].values, ElementsAre(100, 125, 500, 1000));
  const Policy policy = to_policy(Example().network, space, {{1, 3}}, {}, "l1");
  ASSERT_EQ(policy.layers.size(), 1U);
  EXPECT_EQ(policy.layers[0].name, "conv1");
  EXPECT_EQ(policy.layers[0].sparsity, 0.875);
  EXPECT_EQ(policy.layers[0].pattern, "unstructured");
}

// conv1 reads three channels, too few for a four.
TEST(SearchSpace, TwoOfFourIsForDevicesThatRunIt) {
  const SpaceOptions options{.prune = false, .sparsity = {0.5}, .sparsity_pattern = "2:4"};
  const SearchSpace space = space_of(Example(), {.runs_two_of_four = true}, options);
  EXPECT_THAT(decision_names(space), ElementsAre("conv2/kept_weights", "fc/kept_weights"));
  EXPECT_THAT(space.decisions[0].values, ElementsAre(500, 1000));
  EXPECT_THAT(message_of(options), HasSubstr("space.sparsity_pattern: none of the devices runs 2:4 faster"));
  EXPECT_THAT(message_of({.sparsity = {0.6}, .sparsity_pattern = "2:4"}), HasSubstr("space.sparsity[0]: expected 0 or 0.5"));
}

TEST(SearchSpace, BlocksAreForLayersOfFourOutputs) {
  const SpaceOptions options{.prune = false, .sparsity = {0.5, 0.75}, .sparsity_pattern = "4x1"};
  const SearchSpace space = space_of(Example(), {}, options);
  ASSERT_FALSE(space.decisions.empty());
  EXPECT_THAT(space.decisions[0].values, ElementsAre(250, 500, 1000));
  const Candidate sparsest{std::vector<int>(space.decisions.size(), 0)};
  for (const LayerPolicy& layer : to_policy(Example().network, space, sparsest, {}, "l1").layers) EXPECT_EQ(layer.pattern, "4x1");
  for (const Decision& decision : space.decisions) EXPECT_GE(space.layers[static_cast<std::size_t>(decision.subject)].out_channels, 4);
}

// Eight bits alone: that is the width of DynamicQuantizeLinear.
TEST(SearchSpace, DynamicActivationsAreThoseOfEightBits) {
  const Example example;
  const SpaceOptions options{.weight_bits = {8}, .activation_bits = {4, 8}, .dynamic_activations = true};
  const SearchSpace space = space_of(example, {}, options);
  EXPECT_EQ(policies::space_of(space_json(space)), space);
  Candidate candidate = least_compressed(space);
  for (std::size_t d = 0; d < space.decisions.size(); ++d) {
    if (space.decisions[d].name == "conv2/activation_bits") candidate.choices[d] = 0;
  }
  const Policy policy = to_policy(example.network, space, candidate, {}, "l1");
  for (const LayerPolicy& layer : policy.layers) EXPECT_EQ(layer.dynamic, layer.name != "conv2") << layer.name;
  try {
    space_of(example, {.has_fixed_ranges = true}, options);
    ADD_FAILURE() << "accepted";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("space.dynamic_activations: expected false"));
  }
}

TEST(SearchSpace, WrongOptionsAreNamed) {
  EXPECT_THAT(message_of({.sparsity = {0.5, 1}}), HasSubstr("space.sparsity[1]: expected a number of at least 0 and below 1"));
  EXPECT_THAT(message_of({.keep_ratios = {0.5, 1.5}}),
              HasSubstr("space.keep_ratios[1]: expected a number above 0 and at most 1, got '1.5"));
  EXPECT_THAT(message_of({.weight_bits = {8, 9}}), HasSubstr("space.weight_bits[1]: expected one of 2, 3, 4, 5, 6, 7, 8, 16, 32, got '9'"));
  EXPECT_THAT(message_of({.channel_granularity = -1}), HasSubstr("space.channel_granularity"));
  EXPECT_THAT(message_of({.criterion = "best"}), HasSubstr("space.criterion"));
  EXPECT_THAT(message_of({.frozen = {"conv3"}}),
              HasSubstr("space.frozen[0]: expected the name of a layer or group (did you mean 'conv1'?), got 'conv3'"));
}

TEST(Candidate, LegalityAndHash) {
  const SearchSpace space = space_of(Example(), {.weight_bits = {8, 32}}, {.prune = false});
  const Candidate least = least_compressed(space);
  EXPECT_THAT(least.choices, ElementsAre(1, 1, 1));
  EXPECT_TRUE(is_legal(space, least));
  EXPECT_FALSE(is_legal(space, {{1, 1}}));
  EXPECT_FALSE(is_legal(space, {{1, 2, 1}}));
  EXPECT_FALSE(is_legal(space, {{1, -1, 1}}));
  EXPECT_NE(hash_of({{0, 1}}), hash_of({{1, 0}}));
  // FNV-1a of the eight bytes 00 00 00 00 01 00 00 00, computed in Python from the published constants.
  EXPECT_EQ(hash_of({{0, 1}}), 0x08CD4C29D1E47D34ULL);
}

}  // namespace
}  // namespace lathe::policies
