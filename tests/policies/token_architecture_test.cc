// Tokens that are dropped in a network whose architecture changes too: blocks that go, layers in two factors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "models/base/error.h"
#include "models/op_counts.h"
#include "policies/architecture.h"
#include "policies/low_rank.h"
#include "policies/prune.h"
#include "policies/pruning_criterion.h"
#include "policies/residual_blocks.h"
#include "policies/search_space.h"
#include "policies/search_space_json.h"
#include "policies/token_selection.h"
#include "policies/workload.h"
#include "tests/policies/network_runs.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;

std::vector<std::string> names_of(const std::vector<ResidualBlock>& blocks) {
  std::vector<std::string> names;
  for (const ResidualBlock& block : blocks) names.push_back(block.name);
  return names;
}

// Two blocks of attention and feed-forward, so four residual ones.
class BertArchitecture : public testing::Test {
 protected:
  const Network plain_ = models::read_onnx(networks_folder() / "bert.onnx");
  const Network network_ = prepare_for_pruning(plain_);
  const CouplingAnalysis analysis_ = analyze_coupling(network_);

  // The residual block of the attention that scores the tokens of place `place`.
  std::string attention(int place) const {
    const int group = token_groups(analysis_).at(static_cast<std::size_t>(place));
    const int scores = scores_of_tokens(network_, analysis_).at(group);
    for (const ResidualBlock& block : find_residual_blocks(network_)) {
      if (std::binary_search(block.nodes.begin(), block.nodes.end(), scores)) return block.name;
    }
    return "";
  }
};

TEST_F(BertArchitecture, PlacesToDropTokensHideNoBlock) {
  EXPECT_EQ(names_of(find_residual_blocks(network_)), names_of(find_residual_blocks(plain_)));
  ASSERT_EQ(find_residual_blocks(network_).size(), 4U);
  for (const int place : {0, 1}) {
    ASSERT_NE(attention(place), "");
    const Network removed = without_blocks(network_, {attention(place)});
    models::validate(removed);
    EXPECT_TRUE(std::none_of(removed.nodes.begin(), removed.nodes.end(), [](const Node& node) { return is_token_scores(node); }));
    expect_same_outputs(removed, without_blocks(plain_, {attention(place)}), 1, /*tolerance=*/0);
  }
}

TEST_F(BertArchitecture, TokensThatNoAttentionChoosesCannotBeDropped) {
  Policy policy;
  policy.groups = {{.name = "l0.attention.out/tokens", .keep_ratio = 0.5}, {.name = "l1.attention.out/tokens", .keep_ratio = 0.5}};
  policy.blocks = {{.name = attention(1), .keep = false}};
  try {
    kept_channels(network_, analysis_, policy);
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("groups[1]: no token of 'l1.attention.out/tokens' can be dropped: the attention that "
                                                 "chooses them goes with block '" +
                                                 attention(1) + "', which is not kept"));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("groups[0]")));
  }
}

TEST_F(BertArchitecture, ARemovedBlockPassesOnAllThatItGets) {
  const SearchSpace space = make_search_space(network_, analysis_, {}, {.prune = false, .token_keep_ratios = {0.34, 0.5}, .depth = true});
  EXPECT_EQ(space_of(space_json(space)), space);
  std::map<std::string, int> choices{{"l0.attention.out/tokens/keep", 1}, {"l1.attention.out/tokens/keep", 0}};
  choices[attention(1) + "/kept_block"] = 0;
  Candidate candidate = least_compressed(space);
  for (std::size_t d = 0; d < space.decisions.size(); ++d) {
    if (const auto choice = choices.find(space.decisions[d].name); choice != choices.end()) candidate.choices[d] = choice->second;
  }
  const auto importance = weight_importance(network_, analysis_, "l1");
  const Policy policy = to_policy(network_, space, candidate, importance, "l1");
  ASSERT_EQ(policy.groups.size(), 1U);  // the removed block's place is not named
  EXPECT_EQ(policy.groups[0].name, "l0.attention.out/tokens");
  EXPECT_EQ(policy.groups[0].channels, 3);
  const Candidate same = canonical(space, candidate);
  EXPECT_NE(same, candidate);
  EXPECT_EQ(to_policy(network_, space, same, importance, "l1"), policy);
  const KeptChannels kept = kept_channels(network_, analysis_, policy);
  for (const int group : token_groups(analysis_)) EXPECT_EQ(kept[static_cast<std::size_t>(group)].size(), 3U);
}

TEST_F(BertArchitecture, LimitsAboveThoseBeforeAreTheSameCandidate) {
  const SearchSpace space = make_search_space(network_, analysis_, {}, {.prune = false, .token_keep_ratios = {0.34, 0.5}});
  ASSERT_EQ(space.decisions.size(), 2U);  // 2, 3 or 6 tokens each
  const std::vector<std::vector<double>> importance(analysis_.groups.size());
  const auto policy = [&](int first, int second) { return to_policy(network_, space, Candidate{{first, second}}, importance, "l1"); };
  const std::vector<std::tuple<int, int, int>> cases{{0, 0, 2}, {0, 1, 2}, {0, 2, 2}, {1, 0, 0}, {1, 1, 2},
                                                     {1, 2, 2}, {2, 0, 0}, {2, 1, 1}, {2, 2, 2}};
  for (const auto& [first, second, wanted] : cases) {
    EXPECT_EQ(canonical(space, Candidate{{first, second}}), (Candidate{{first, wanted}}));
    EXPECT_EQ(policy(first, second), policy(first, wanted));
  }
}

// The candidate's workload, the policy's, and the products of the network that the policy makes.
TEST_F(BertArchitecture, WorkloadIsThatOfTheNetworkThatThePolicyMakes) {
  const SearchSpace space = make_search_space(
      network_, analysis_, {}, {.keep_ratios = {0.5, 1}, .token_keep_ratios = {0.3, 0.5, 0.8}, .depth = true, .rank_ratios = {0.25, 0.5}});
  const WorkloadBuilder builder(network_, analysis_, 2, factorable_layers(network_));
  const auto importance = weight_importance(network_, analysis_, "l1");
  Rng rng(9, "candidates");
  int without_attention = 0, with_tokens = 0;
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE(testing::Message() << "candidate " << round);
    Candidate candidate;
    for (const Decision& decision : space.decisions)
      candidate.choices.push_back(static_cast<int>(rng.below(static_cast<std::int64_t>(decision.values.size()))));
    const Policy policy = to_policy(network_, space, candidate, importance, "l1");
    const KeptChannels kept = kept_channels(network_, analysis_, policy);
    const Network made = with_architecture(prune(network_, analysis_, kept), policy);
    models::validate(made);
    const std::vector<at::Tensor> outputs = models::Executor(made).run(random_inputs(made, rng));
    EXPECT_TRUE(outputs[0].sizes() == at::IntArrayRef({kBatch, 2}));
    const Workload a = workload_of(builder, space, candidate), b = workload_of(builder, network_, analysis_, policy);
    std::map<std::string, std::int64_t> products, made_products;
    ASSERT_EQ(a.ops.size(), b.ops.size());
    for (std::size_t i = 0; i < a.ops.size(); ++i) {
      EXPECT_EQ(a.ops[i].macs, b.ops[i].macs) << a.ops[i].name;
      EXPECT_EQ(a.ops[i].input_elements, b.ops[i].input_elements) << a.ops[i].name;
      EXPECT_EQ(a.ops[i].output_elements, b.ops[i].output_elements) << a.ops[i].name;
      if (a.ops[i].macs > 0) products[a.ops[i].name] = a.ops[i].macs;
    }
    EXPECT_EQ(a.values, b.values);
    const bool selects = std::any_of(made.nodes.begin(), made.nodes.end(), [](const Node& node) { return node.op == "TopK"; });
    for (const Node& node : made.nodes) {
      const bool is_of_network = products.contains(node.name);
      if (is_of_network) made_products[node.name] = 2 * models::macs(made, node);
      EXPECT_TRUE(is_of_network || selects || models::macs(made, node) == 0) << node.name;  // else padding's votes
    }
    EXPECT_EQ(products, made_products);
    with_tokens += selects ? 1 : 0;
    without_attention += std::any_of(policy.blocks.begin(), policy.blocks.end(),
                                     [&](const BlockPolicy& block) { return block.name == attention(0) || block.name == attention(1); });
  }
  EXPECT_GT(without_attention, 5);
  EXPECT_GT(with_tokens, 5);
}

}  // namespace
}  // namespace lathe::policies
