// Dropping tokens on the small Transformers of tests/policies/networks. What a selection must do is worked out here with plain loops.
#include "policies/token_selection.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <numeric>

#include "models/base/error.h"
#include "models/base/rng.h"
#include "models/executor.h"
#include "models/onnx_reader.h"
#include "models/op_counts.h"
#include "policies/prune.h"
#include "policies/pruning_criterion.h"
#include "policies/search_space.h"
#include "policies/workload.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::ValueId;

constexpr std::int64_t kBatch = 3, kTokens = 6;  // of "bert", whose class token is no different from the others

Network read(const std::string& name) {
  return models::read_onnx(std::filesystem::path(LATHE_BINARY_DIR) / "tests/policies/networks" / (name + ".onnx"));
}

// ids below 20; masks that leave 6, 4 and 3 tokens.
std::vector<at::Tensor> bert_inputs() {
  Rng rng(5, "tokens");
  at::Tensor ids = at::empty({kBatch, kTokens}, at::kLong), mask = at::zeros({kBatch, kTokens}, at::kLong);
  for (std::int64_t i = 0; i < ids.numel(); ++i) ids.data_ptr<std::int64_t>()[i] = rng.below(20);
  const std::int64_t lengths[] = {6, 4, 3};
  for (std::int64_t row = 0; row < kBatch; ++row) mask[row].narrow(0, 0, lengths[row]).fill_(1);
  return {ids, mask};
}

KeptChannels keep_tokens(const CouplingAnalysis& analysis, const std::vector<std::int64_t>& counts) {
  const std::vector<int> groups = token_groups(analysis);
  KeptChannels kept(analysis.groups.size());
  for (std::size_t i = 0; i < counts.size(); ++i) {
    auto& indices = kept[static_cast<std::size_t>(groups.at(i))];
    indices.resize(static_cast<std::size_t>(counts[i]));
    std::iota(indices.begin(), indices.end(), 0);
  }
  return kept;
}

at::Tensor observed(const Network& network, const std::vector<at::Tensor>& inputs, ValueId wanted) {
  at::Tensor result;
  models::RunOptions run;
  run.observed = {wanted};
  run.observer = [&](ValueId id, const at::Tensor& value) {
    if (id == wanted) result = value.clone();
  };
  models::Executor(network).run(inputs, run);
  return result;
}

const Node& nth(const Network& network, const std::string& op, int n) {
  for (const Node& node : network.nodes) {
    if (node.op == op && n-- == 0) return node;
  }
  ADD_FAILURE() << "too few " << op;
  return network.nodes.front();
}

// The positions of the `count` highest significances, the first always among them, ascending; by PoWER-BERT's formula, in plain loops.
std::vector<std::int64_t> significant(const at::Tensor& probabilities, const at::Tensor& mask, std::int64_t row, std::int64_t count) {
  const auto p = probabilities[row].to(at::kDouble).contiguous();  // [heads, query, key]
  std::vector<double> significance(static_cast<std::size_t>(p.size(2)), 0);
  for (std::int64_t h = 0; h < p.size(0); ++h) {
    for (std::int64_t q = 0; q < p.size(1); ++q) {
      if (mask[row][q].item<std::int64_t>() == 0) continue;
      for (std::int64_t k = 0; k < p.size(2); ++k) significance[static_cast<std::size_t>(k)] += p[h][q][k].item<double>();
    }
  }
  significance[0] = INFINITY;
  return most_important(significance, count);
}

class Bert : public testing::Test {
 protected:
  const Network plain_ = read("bert");
  const Network network_ = prepare_for_pruning(plain_);
  const CouplingAnalysis analysis_ = analyze_coupling(network_);
  const std::vector<at::Tensor> inputs_ = bert_inputs();
};

TEST_F(Bert, EachAttentionHasAPlaceNamedAfterTheLayerBeforeIt) {
  const std::vector<int> groups = token_groups(analysis_);
  ASSERT_EQ(groups.size(), 2U);
  for (int block = 0; block < 2; ++block) {
    const CouplingGroup& group = analysis_.groups[static_cast<std::size_t>(groups[static_cast<std::size_t>(block)])];
    EXPECT_EQ(group.name, "l" + std::to_string(block) + ".attention.out/tokens");
    EXPECT_EQ(group.channels, kTokens);
    EXPECT_TRUE(group.prunable) << group.reason;
  }
}

TEST_F(Bert, PlacesChangeNothing) {
  models::validate(network_);
  const at::Tensor before = models::Executor(plain_).run(inputs_)[0];
  EXPECT_TRUE(at::equal(models::Executor(network_).run(inputs_)[0], before));
  const Network kept = prune(network_, analysis_, keep_tokens(analysis_, {kTokens, kTokens}));
  models::validate(kept);
  EXPECT_EQ(kept.nodes.size(), plain_.nodes.size());
  EXPECT_TRUE(at::equal(models::Executor(kept).run(inputs_)[0], before));
}

TEST_F(Bert, TheMostSignificantTokensPassInTheirOrder) {
  const Network selected = prune(network_, analysis_, keep_tokens(analysis_, {4, 4}));
  models::validate(selected);
  const at::Tensor probabilities = observed(plain_, inputs_, nth(plain_, "Softmax", 0).outputs[0]);
  const at::Tensor all = observed(plain_, inputs_, nth(network_, kSelectTokens, 0).inputs[0]);
  const at::Tensor passed = observed(selected, inputs_, nth(selected, "GatherND", 0).outputs[0]);
  ASSERT_EQ(passed.sizes(), (std::vector<std::int64_t>{kBatch, 4, 12}));
  for (std::int64_t row = 0; row < kBatch; ++row) {
    const std::vector<std::int64_t> wanted = significant(probabilities, inputs_[1], row, 4);
    EXPECT_TRUE(at::equal(passed[row], all[row].index_select(0, at::tensor(wanted)))) << "row " << row << " keeps others";
  }
}

// The law of the method: what stays computes what it would if nobody could attend to what went. Tolerance: other sums, in float.
TEST_F(Bert, SelectedEqualsMaskedAttention) {
  constexpr std::int64_t kKept = 3;
  const Network selected = prune(network_, analysis_, keep_tokens(analysis_, {kKept, kKept}));
  const at::Tensor probabilities = observed(plain_, inputs_, nth(plain_, "Softmax", 0).outputs[0]);
  // The second block adds a mask of its own, an input of the network.
  Network masked = plain_;
  const Node& second = nth(plain_, "Softmax", 1);
  const auto producers = models::producers(plain_);
  Node& add = masked.nodes[static_cast<std::size_t>(producers[static_cast<std::size_t>(second.inputs[0])])];
  const ValueId own =
      masked.add_value({.name = "second_mask", .type = models::DataType::kFloat32, .shape = {models::kDynamic, 1, 1, kTokens}});
  masked.inputs.push_back(own);
  add.inputs[1] = own;
  at::Tensor second_mask = at::full({kBatch, 1, 1, kTokens}, -1e4F);
  std::vector<std::vector<std::int64_t>> kept;
  for (std::int64_t row = 0; row < kBatch; ++row) {
    kept.push_back(significant(probabilities, inputs_[1], row, kKept));
    for (const std::int64_t token : kept.back()) {
      if (inputs_[1][row][token].item<std::int64_t>() == 1) second_mask[row][0][0][token] = 0.0F;
    }
  }
  const auto means = std::count_if(plain_.nodes.begin(), plain_.nodes.end(), [](const Node& node) { return node.op == "ReduceMean"; });
  const ValueId last = nth(plain_, "ReduceMean", static_cast<int>(means) - 1).inputs[0];
  const at::Tensor whole = observed(masked, {inputs_[0], inputs_[1], second_mask}, last), fewer = observed(selected, inputs_, last);
  for (std::int64_t row = 0; row < kBatch; ++row) {
    const at::Tensor wanted = whole[row].index_select(0, at::tensor(kept[static_cast<std::size_t>(row)]));
    EXPECT_LE((fewer[row] - wanted).abs().max().item<double>(), 1e-5 * wanted.abs().max().item<double>()) << "row " << row;
  }
}

TEST_F(Bert, ABlockPassesNoMoreThanItGets) {
  const auto tokens_kept = [&](const Policy& policy) {
    std::vector<std::int64_t> counts;
    const KeptChannels kept = kept_channels(network_, analysis_, policy);
    for (const int group : token_groups(analysis_))
      counts.push_back(static_cast<std::int64_t>(kept[static_cast<std::size_t>(group)].size()));
    return counts;
  };
  Policy policy;
  policy.groups = {{.name = "l0.attention.out/tokens", .keep_ratio = 0.5, .criterion = kAttentionCriterion}};
  EXPECT_THAT(tokens_kept(policy), testing::ElementsAre(3, 3));  // said of the first alone
  policy.groups.push_back({.name = "l1.attention.out/tokens", .channels = 5});
  EXPECT_THAT(tokens_kept(policy), testing::ElementsAre(3, 3));
  policy.groups[1].channels = 1;
  EXPECT_THAT(tokens_kept(policy), testing::ElementsAre(3, 1));
}

std::string fault_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST_F(Bert, PoliciesThatNameTokensWronglyAreRefused) {
  const auto fault = [&](const GroupPolicy& entry) {
    Policy policy;
    policy.groups = {entry};
    return fault_of([&] { kept_channels(network_, analysis_, policy); });
  };
  EXPECT_THAT(fault({.name = "l0.attention.out/tokens", .kept = {0, 2}}),
              testing::HasSubstr("groups[0].kept: expected `keep_ratio` or `channels`: which tokens of 'l0.attention.out/tokens' stay"));
  EXPECT_THAT(fault({.name = "l0.up", .keep_ratio = 0.5, .criterion = kAttentionCriterion}),
              testing::HasSubstr("groups[0].criterion: expected a criterion of channels"));
}

std::vector<std::string> decision_names(const SearchSpace& space) {
  std::vector<std::string> names;
  for (const Decision& decision : space.decisions) names.push_back(decision.name);
  return names;
}

TEST_F(Bert, RatiosOfTokensAreOneDecisionABlock) {
  const SearchSpace space = make_search_space(network_, analysis_, {}, {.prune = false, .token_keep_ratios = {0.5, 0.25}});
  EXPECT_THAT(decision_names(space), testing::ElementsAre("l0.attention.out/tokens/keep", "l1.attention.out/tokens/keep"));
  EXPECT_THAT(space.decisions[0].values, testing::ElementsAre(2, 3, 6));
  EXPECT_TRUE(make_search_space(network_, analysis_, {}, {.prune = false}).decisions.empty());
}

TEST(TokenRatios, AreRefusedWithoutAPlaceToDropTokens) {
  const auto fault = [](const std::string& name, const DeviceCapabilities& device) {
    const Network network = prepare_for_pruning(read(name));
    const CouplingAnalysis analysis = analyze_coupling(network);
    return fault_of([&] { make_search_space(network, analysis, device, {.token_keep_ratios = {0.5}}); });
  };
  EXPECT_THAT(fault("mixer", {}), testing::HasSubstr("space.token_keep_ratios: expected none: the network has no self-attention"));
  EXPECT_THAT(fault("rotary_attention", {}), testing::HasSubstr("expected none: "));  // its output has all tokens
  EXPECT_THAT(fault("bert", {.has_fixed_ranges = true}), testing::HasSubstr("expected none: one of the devices"));
  EXPECT_EQ(fault("bert", {}), "");
  EXPECT_EQ(fault("vision_transformer", {}), "");
}

// The class token, which alone is read in the end, stays.
TEST(VisionTransformer, KeepsItsClassToken) {
  const Network network = prepare_for_pruning(read("vision_transformer"));
  const CouplingAnalysis analysis = analyze_coupling(network);
  const Network selected = prune(network, analysis, keep_tokens(analysis, {1}));
  models::validate(selected);
  Rng rng(6, "image");
  at::Tensor image = at::empty({2, 3, 8, 8});
  for (std::int64_t i = 0; i < image.numel(); ++i) image.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  const at::Tensor wanted = models::Executor(network).run({{image}})[0];  // behind its only block tokens no longer meet
  EXPECT_LE((models::Executor(selected).run({{image}})[0] - wanted).abs().max().item<double>(), 1e-5 * wanted.abs().max().item<double>());
  EXPECT_LT(models::total_macs(selected), models::total_macs(network));
}

// Sizes, MACs and the place in memory follow from expressions; the selected network has them for real. Its own nodes for a selection cost
// what the one operator that stands for them does not say, and are left out.
TEST_F(Bert, WorkloadSeesFewerTokens) {
  const SearchSpace space = make_search_space(network_, analysis_, {}, {.token_keep_ratios = {0.3, 0.5, 0.8}});
  const WorkloadBuilder builder(network_, analysis_, 2);
  const auto importance = weight_importance(network_, analysis_, "l1");
  Rng rng(7, "candidates");
  for (int round = 0; round < 8; ++round) {
    Candidate candidate;
    for (const Decision& decision : space.decisions)
      candidate.choices.push_back(static_cast<int>(rng.below(static_cast<std::int64_t>(decision.values.size()))));
    const Policy policy = to_policy(network_, space, candidate, importance, "l1");
    const Workload a = workload_of(builder, space, candidate), b = workload_of(builder, network_, analysis_, policy);
    EXPECT_EQ(a.ops, b.ops);
    EXPECT_EQ(a.values, b.values);
    const Network selected = prune(network_, analysis_, kept_channels(network_, analysis_, policy));
    models::validate(selected);
    EXPECT_TRUE(models::Executor(selected).run(inputs_)[0].sizes() == at::IntArrayRef({kBatch, 2}));
    const CouplingAnalysis again = analyze_coupling(selected);
    const WorkloadBuilder real(selected, again, 2);
    const Workload expected = real.build(real.full_counts(), std::vector<WorkloadBuilder::Bits>(selected.nodes.size()));
    int compared = 0;
    for (OpWorkload op : a.ops) {
      const auto same = std::find_if(expected.ops.begin(), expected.ops.end(), [&](const auto& other) { return other.name == op.name; });
      if (same == expected.ops.end()) continue;  // a mark
      op.node = same->node;
      EXPECT_EQ(op, *same) << op.name;
      ++compared;
    }
    EXPECT_EQ(compared, static_cast<int>(a.ops.size()) - 4);
  }
}

TEST_F(Bert, PlacesCostNothingWhereAllTokensStay) {
  const WorkloadBuilder builder(network_, analysis_, 1);
  const Workload all = builder.build(builder.full_counts(), std::vector<WorkloadBuilder::Bits>(network_.nodes.size()));
  int places = 0;
  for (const OpWorkload& op : all.ops) {
    const Node& node = network_.nodes[static_cast<std::size_t>(op.node)];
    if (!is_token_scores(node) && !is_select_tokens(node)) continue;
    ++places;
    EXPECT_TRUE(op.is_fused && op.input_elements == 0 && op.output_elements == 0 && op.macs == 0) << op.name;
  }
  EXPECT_EQ(places, 4);
}

}  // namespace
}  // namespace lathe::policies
