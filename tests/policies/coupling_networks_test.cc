// The law of pruning, on many small networks (tests/policies/networks) and on real ones: the pruned network computes what the masked one
// does. Tolerance 1e-5 of the largest output: the two sum the same products in another order.
#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "models/base/rng.h"
#include "models/executor.h"
#include "models/onnx_reader.h"
#include "models/op_counts.h"
#include "policies/prune.h"
#include "policies/pruning_criterion.h"
#include "policies/search_space.h"
#include "policies/token_selection.h"
#include "tests/policies/network_runs.h"

namespace lathe::policies {
namespace {

using models::Network;

// For each prunable group a random non-empty set of channels.
KeptChannels random_kept(const CouplingAnalysis& analysis, Rng& rng) {
  KeptChannels kept(analysis.groups.size());
  for (std::size_t g = 0; g < kept.size(); ++g) {
    if (!analysis.groups[g].prunable || analysis.groups[g].is_tokens) continue;  // which tokens go depends on the input
    std::vector<double> order(static_cast<std::size_t>(analysis.groups[g].channels));
    for (double& score : order) score = rng.uniform();
    kept[g] = most_important(order, 1 + rng.below(analysis.groups[g].channels));
  }
  return kept;
}

// Prunes at random and compares; what can be pruned must also get smaller.
void expect_law(const Network& network, int seeds) {
  const CouplingAnalysis analysis = analyze_coupling(network);
  for (int seed = 0; seed < seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng(static_cast<std::uint64_t>(seed), "kept channels");
    const KeptChannels kept = random_kept(analysis, rng);
    const Network pruned = prune(network, analysis, kept), masked = mask(network, analysis, kept);
    models::validate(pruned);
    bool removes = false;
    for (std::size_t g = 0; g < kept.size(); ++g) {
      removes = removes || (!kept[g].empty() && static_cast<std::int64_t>(kept[g].size()) < analysis.groups[g].channels);
    }
    if (removes) {
      EXPECT_LT(models::total_parameters(pruned), models::total_parameters(network));
      EXPECT_FALSE(masked == network);
    }
    expect_same_outputs(pruned, masked, static_cast<std::uint64_t>(seed));
  }
}

std::map<std::string, std::int64_t> prunable_groups(const CouplingAnalysis& analysis) {
  std::map<std::string, std::int64_t> groups;
  for (const CouplingGroup& group : analysis.groups) {
    if (group.prunable && !group.is_tokens) groups[group.name] = group.channels;
  }
  return groups;
}

// What cannot be pruned, and why.
std::map<std::string, std::string> reasons(const CouplingAnalysis& analysis) {
  std::map<std::string, std::string> found;
  for (const CouplingGroup& group : analysis.groups) {
    if (!group.prunable && !group.is_tokens) found[group.name] = group.reason;
  }
  return found;
}

class CouplingNetworks : public testing::TestWithParam<std::string> {
 protected:
  Network network() const { return prepare_for_pruning(models::read_onnx(networks_folder() / (GetParam() + ".onnx"))); }
};

TEST_P(CouplingNetworks, GroupsAreThoseWorkedOutByHand) {
  std::ifstream file(networks_folder() / (GetParam() + ".json"));
  const nlohmann::json expected = nlohmann::json::parse(file).at("groups");
  if (expected.is_null()) return;  // composed at random
  EXPECT_EQ(prunable_groups(analyze_coupling(network())), (expected.get<std::map<std::string, std::int64_t>>()));
}

TEST_P(CouplingNetworks, EveryGroupIsPrunableOrSaysWhyNot) {
  const CouplingAnalysis analysis = analyze_coupling(network());
  for (const CouplingGroup& group : analysis.groups) {
    EXPECT_EQ(group.prunable, group.reason.empty()) << group.name;
    EXPECT_FALSE(group.producers.empty()) << group.name;
    EXPECT_GT(group.channels, group.prunable ? 1 : 0) << group.name;
  }
}

TEST_P(CouplingNetworks, KeepingAllChangesNothing) {
  const Network whole = network();
  const CouplingAnalysis analysis = analyze_coupling(whole);
  const KeptChannels all(analysis.groups.size());
  const Network plain = lower_token_selections(whole);  // the same without marks for tokens
  EXPECT_TRUE(prune(whole, analysis, all) == plain);
  EXPECT_TRUE(mask(whole, analysis, all) == plain);
}

TEST_P(CouplingNetworks, PrunedEqualsMasked) {
  expect_law(network(), 3);
}

INSTANTIATE_TEST_SUITE_P(All, CouplingNetworks, testing::ValuesIn(network_names()), [](const auto& info) { return info.param; });

TEST(CouplingNetworksFolder, HoldsTheNetworks) {
  EXPECT_GE(network_names().size(), 100U) << "make_networks.py has not run for " << networks_folder();
}

void expect_every_layer_is_quantizable(const Network& network) {
  for (const LayerInfo& layer : describe_layers(network)) EXPECT_EQ(layer.reason, "") << layer.name;
}

// The stream of each stage holds the channels of the stage before, between those that its shortcut pads with zeros.
std::map<std::string, std::int64_t> option_a_groups(int blocks) {
  std::map<std::string, std::int64_t> groups{
      {"conv1", 16}, {"layer2.0.conv2#0", 8}, {"layer2.0.conv2#2", 8}, {"layer3.0.conv2#0", 16}, {"layer3.0.conv2#4", 16}};
  for (int stage = 1; stage <= 3; ++stage) {
    for (int block = 0; block < blocks; ++block) {
      groups["layer" + std::to_string(stage) + "." + std::to_string(block) + ".conv1"] = 8 << stage;
    }
  }
  return groups;
}

TEST(RealNetworks, ResNetsForCifar) {
  for (const auto& [name, blocks] : {std::pair{"resnet20_cifar10", 3}, std::pair{"resnet56_cifar10", 9}}) {
    SCOPED_TRACE(name);
    const Network network = data_network(name);
    if (network.nodes.empty()) GTEST_SKIP() << "LATHE_DATA holds no " << name;
    const CouplingAnalysis analysis = analyze_coupling(network);
    EXPECT_EQ(prunable_groups(analysis), option_a_groups(blocks));
    EXPECT_EQ(reasons(analysis), (std::map<std::string, std::string>{{"linear", "network output \"logits\""}}));
    expect_every_layer_is_quantizable(network);
    expect_law(network, 2);
  }
}

TEST(RealNetworks, EfficientNetCouplesExpansionsAndStreams) {
  const Network network = data_network("efficientnet_lite0");
  if (network.nodes.empty()) GTEST_SKIP() << "LATHE_DATA holds no efficientnet_lite0";
  const CouplingAnalysis analysis = analyze_coupling(network);
  // Blocks of EfficientNet-lite0 by stage: (first block, output channels), expansion 6 of what the block reads.
  std::map<std::string, std::int64_t> expected{{"conv_stem", 32}, {"conv_head", 1280}};
  const std::map<int, int> streams{{0, 16}, {1, 24}, {3, 40}, {5, 80}, {8, 112}, {11, 192}, {15, 320}};
  int width = 32;
  for (int block = 0; block < 16; ++block) {
    const std::string name = "blocks." + std::to_string(block);
    if (block > 0) expected[name + ".expand_conv"] = 6 * width;
    if (streams.contains(block)) expected[name + ".project_conv"] = width = streams.at(block);
  }
  EXPECT_EQ(prunable_groups(analysis), expected);
  EXPECT_EQ(reasons(analysis), (std::map<std::string, std::string>{{"fc", "network output \"logits\""}}));
  expect_every_layer_is_quantizable(network);
  const auto expansion =
      std::find_if(analysis.groups.begin(), analysis.groups.end(), [](const auto& g) { return g.name == "blocks.1.expand_conv"; });
  EXPECT_EQ(expansion->producers, (std::vector<std::string>{"blocks.1.expand_conv", "blocks.1.depthwise_conv"}));
  EXPECT_EQ(expansion->consumers, (std::vector<std::string>{"blocks.1.depthwise_conv", "blocks.1.project_conv"}));
  expect_law(network, 1);
}

TEST(RealNetworks, MiniLmPrunesHeadsAndNeuronsButNotWhatIsNormalized) {
  const Network network = data_network("minilm_sst2");
  if (network.nodes.empty()) GTEST_SKIP() << "LATHE_DATA holds no minilm_sst2";
  const CouplingAnalysis analysis = analyze_coupling(network);
  std::map<std::string, std::int64_t> expected;
  for (int layer = 0; layer < 6; ++layer) {
    const std::string name = "layers." + std::to_string(layer) + ".";
    expected[name + "attn.query.matmul/heads"] = 12;
    expected[name + "attn.query.matmul/width"] = 32;
    expected[name + "attn.value.matmul/width"] = 32;
    expected[name + "fc1.matmul"] = 1536;
  }
  EXPECT_EQ(prunable_groups(analysis), expected);
  const auto hidden = std::find_if(analysis.groups.begin(), analysis.groups.end(), [](const auto& g) { return g.channels == 384; });
  ASSERT_NE(hidden, analysis.groups.end());
  EXPECT_THAT(hidden->reason, testing::AllOf(testing::HasSubstr("normalized over"), testing::HasSubstr("LayerNormalization")));
  EXPECT_EQ(hidden->producers.size(), 12U);  // output projection and second feed-forward matrix of each layer
  EXPECT_EQ(reasons(analysis).size(), 2U);
  EXPECT_EQ(reasons(analysis).at("classifier"), "network output \"logits\"");
  expect_every_layer_is_quantizable(network);
  expect_law(network, 1);
  std::vector<std::string> tokens;
  for (const int group : token_groups(analysis)) {
    EXPECT_TRUE(analysis.groups[static_cast<std::size_t>(group)].prunable);
    EXPECT_EQ(analysis.groups[static_cast<std::size_t>(group)].channels, 32);
    tokens.push_back(analysis.groups[static_cast<std::size_t>(group)].name);
  }
  EXPECT_THAT(tokens, testing::ElementsAre("layers.0.attn.out.matmul/tokens", "layers.1.attn.out.matmul/tokens",
                                           "layers.2.attn.out.matmul/tokens", "layers.3.attn.out.matmul/tokens",
                                           "layers.4.attn.out.matmul/tokens", "layers.5.attn.out.matmul/tokens"));
}

}  // namespace
}  // namespace lathe::policies
