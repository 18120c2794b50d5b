#include "policies/residual_blocks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/base/error.h"
#include "models/base/rng.h"
#include "network_sketch.h"
#include "policies/architecture.h"
#include "policies/search_space.h"
#include "policies/search_space_json.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Network;
using models::ValueId;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// stem -> relu -> [a1 -> relu -> a2] + -> relu -> [b1] + (no activation) -> projected block, whose shortcut is a layer -> head
Network example() {
  NetworkSketch sketch({kDynamic, 3, 8, 8});
  const ValueId stem = sketch.unary("relu0", "Relu", sketch.conv("stem", sketch.input(), 8));
  const ValueId a = sketch.conv("a2", sketch.unary("a_relu", "Relu", sketch.conv("a1", stem, 12)), 8);
  const ValueId x = sketch.unary("relu1", "Relu", sketch.add("add_a", a, stem));
  const ValueId y = sketch.add("add_b", x, sketch.conv("b1", x, 8));
  const ValueId c = sketch.conv("c1", y, 16, 2), shortcut = sketch.conv("shortcut", y, 16, 2);
  const ValueId z = sketch.add("add_c", c, shortcut);
  return sketch.finish({sketch.head(z, 5)});
}

std::vector<std::string> node_names(const Network& network) {
  std::vector<std::string> names;
  for (const models::Node& node : network.nodes) names.push_back(node.name);
  return names;
}

TEST(ResidualBlocks, IdentityShortcutsAreFound) {
  const Network network = example();
  const std::vector<ResidualBlock> blocks = find_residual_blocks(network);
  ASSERT_EQ(blocks.size(), 2U);
  EXPECT_EQ(blocks[0].name, "add_a");
  std::vector<std::string> branch;
  for (const int node : blocks[0].nodes) branch.push_back(network.nodes[static_cast<std::size_t>(node)].name);
  EXPECT_THAT(branch, ElementsAre("a1", "a_relu", "a2"));
  EXPECT_EQ(network.value(blocks[0].shortcut).name, "relu0:0");
  EXPECT_EQ(blocks[1].name, "add_b");
}

TEST(ResidualBlocks, SumsWithoutAnIdentityShortcutAreNone) {
  NetworkSketch sketch({kDynamic, 8, 8, 8});
  const ValueId x = sketch.conv("stem", sketch.input(), 8);
  const ValueId a = sketch.conv("a", x, 8), sum = sketch.add("add", a, x);
  // Both the shortcut and the inside of the branch are read elsewhere.
  const ValueId elsewhere = sketch.add("elsewhere", x, a);
  // No layer in the branch.
  const ValueId gate = sketch.add("gate", sum, sketch.unary("tanh", "Tanh", sum));
  EXPECT_THAT(find_residual_blocks(sketch.finish({sketch.head(sketch.add("both", elsewhere, gate), 5)})), IsEmpty());
}

TEST(ResidualBlocks, BranchAndAddAndTheRepeatedActivationGo) {
  const Network network = example();
  EXPECT_THAT(node_names(without_blocks(network, {"add_a"})),
              ElementsAre("stem", "relu0", "b1", "add_b", "c1", "shortcut", "add_c", "pool", "flatten", "fc"));
  const Network none = without_blocks(network, {"add_a", "add_b"});
  models::validate(none);
  EXPECT_THAT(node_names(none), ElementsAre("stem", "relu0", "c1", "shortcut", "add_c", "pool", "flatten", "fc"));
  EXPECT_EQ(without_blocks(network, {}), network);
}

// An activation that its input does not have yet stays.
TEST(ResidualBlocks, OtherActivationsStay) {
  NetworkSketch sketch({kDynamic, 8, 8, 8});
  const ValueId x = sketch.conv("stem", sketch.input(), 8);
  const ValueId y = sketch.unary("relu", "Relu", sketch.add("add", sketch.conv("a", x, 8), x));
  const Network network = sketch.finish({sketch.head(y, 5)});
  EXPECT_THAT(node_names(without_blocks(network, {"add"})), ElementsAre("stem", "relu", "pool", "flatten", "fc"));
}

SearchSpace space_with(const Network& network, const SpaceOptions& options) {
  const DeviceCapabilities device{.channel_granularity = 1, .weight_bits = {4, 8}, .activation_bits = {4, 8}};
  return make_search_space(network, analyze_coupling(network), device, options);
}

TEST(DepthDecisions, AreOneABlockBeforeItsFirstLayer) {
  const SearchSpace space = space_with(example(), {.depth = true});
  std::vector<std::string> names;
  for (const Decision& decision : space.decisions) names.push_back(decision.name);
  const auto at = [&](const std::string& name) { return std::find(names.begin(), names.end(), name) - names.begin(); };
  EXPECT_EQ(at("add_a/kept_block") + 1, at("a1/keep"));
  EXPECT_LT(at("add_b/kept_block"), at("b1/weight_bits"));
  EXPECT_EQ(space.decisions[static_cast<std::size_t>(at("add_a/kept_block"))].values, (std::vector<int>{0, 1}));
  EXPECT_EQ(space_of(space_json(space)), space);
  // a1's channels are the block's own, a2's are the stem's too.
  ASSERT_EQ(space.blocks[0].groups.size(), 1U);
  EXPECT_EQ(space.groups[static_cast<std::size_t>(space.blocks[0].groups[0])].name, "a1");
  EXPECT_THAT(space.blocks[1].groups, IsEmpty());
}

TEST(DepthDecisions, FrozenLayersKeepTheirBlock) {
  const SearchSpace space = space_with(example(), {.depth = true, .frozen = {"a2"}});
  ASSERT_EQ(space.blocks.size(), 1U);
  EXPECT_EQ(space.blocks[0].name, "add_b");
}

TEST(DepthDecisions, WhatGoesWithABlockIsLeftOutAndAllTheSame) {
  const Network network = example();
  const SearchSpace space = space_with(network, {.depth = true, .rank_ratios = {0.5}});
  Rng rng(1, "candidates");
  std::vector<Policy> policies;
  for (int i = 0; i < 2; ++i) {
    Candidate candidate = least_compressed(space);
    for (std::size_t d = 0; d < space.decisions.size(); ++d) {
      const Decision& decision = space.decisions[d];
      const bool is_of_a = decision.name.starts_with("a1/") || decision.name == "a2/weight_bits" || decision.name == "a2/activation_bits" ||
                           decision.name == "a2/rank";
      if (is_of_a) candidate.choices[d] = static_cast<int>(rng.below(static_cast<std::int64_t>(decision.values.size())));
      if (decision.name == "add_a/kept_block") candidate.choices[d] = 0;
    }
    policies.push_back(to_policy(network, space, candidate, std::vector<std::vector<double>>(8, std::vector<double>(16, 1)), "l1"));
    const Candidate same = canonical(space, candidate);
    EXPECT_EQ(canonical(space, same), same);
    EXPECT_EQ(policies.back(), to_policy(network, space, same, std::vector<std::vector<double>>(8, std::vector<double>(16, 1)), "l1"));
  }
  EXPECT_EQ(policies[0], policies[1]);
  ASSERT_EQ(policies[0].blocks.size(), 1U);
  EXPECT_EQ(policies[0].blocks[0], (BlockPolicy{.name = "add_a", .keep = false}));
  EXPECT_THAT(policies[0].groups, IsEmpty());
  for (const LayerPolicy& layer : policies[0].layers) EXPECT_FALSE(layer.name.starts_with("a")) << layer.name;
}

std::string message_of(const Network& network, const SpaceOptions& options) {
  try {
    space_with(network, options);
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(DepthDecisions, NetworksWithoutBlocksOrRanksAreRefused) {
  NetworkSketch sketch({kDynamic, 4, 8, 8});
  const Network plain = sketch.finish({sketch.unary("relu", "Relu", sketch.conv("depthwise", sketch.input(), 4, 1, 4))});
  EXPECT_THAT(message_of(plain, {.depth = true}), HasSubstr("space.depth: expected false: the network has no residual block"));
  EXPECT_THAT(message_of(plain, {.rank_ratios = {0.5}}), HasSubstr("space.rank_ratios: expected none"));
  EXPECT_THAT(message_of(plain, {.rank_ratios = {0}}), HasSubstr("space.rank_ratios[0]: expected a number above 0 and at most 1, got '0"));
}

TEST(DepthPolicies, FaultsNameTheBlock) {
  const Network network = example();
  const CouplingAnalysis analysis = analyze_coupling(network);
  const Policy policy = parse_policy(R"({"format": "lathe.policy", "version": 1, "blocks": [{"name": "add_a", "keep": false},
      {"name": "add_d", "keep": false}], "layers": [{"name": "a1", "weight_bits": 8}]})",
                                     "policy.json");
  try {
    kept_channels(network, analysis, policy);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("blocks[1].name: the network has no residual block of that name (did you mean 'add_"));
    EXPECT_THAT(error.what(), HasSubstr("layers[0]: layer 'a1' goes with block 'add_a', which is not kept"));
  }
}

TEST(DepthPolicies, AreReadAsTheyAreWritten) {
  Policy policy{.blocks = {{.name = "add_a", .keep = false}}};
  policy.layers = {{.name = "b1", .rank_ratio = 0.25}};
  const Policy read = parse_policy(to_json(policy).dump(), "policy.json");
  EXPECT_EQ(read.blocks, policy.blocks);
  EXPECT_EQ(read.layers, policy.layers);
  try {
    parse_policy(R"({"format": "lathe.policy", "version": 1, "blocks": [{"name": "a"}],
        "layers": [{"name": "b", "rank_ratio": 1.5}]})",
                 "p");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("blocks[0].keep: missing; expected true or false"));
    EXPECT_THAT(error.what(), HasSubstr("layers[0].rank_ratio: expected a number above 0 and at most 1, got '1.5'"));
  }
}

}  // namespace
}  // namespace lathe::policies
