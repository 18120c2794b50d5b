#include "evaluators/low_rank_fitting.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "evaluators/accuracy.h"
#include "evaluators/compression.h"
#include "evaluators/trainer.h"
#include "models/executor.h"
#include "models/op_counts.h"
#include "policies/architecture.h"
#include "policies/low_rank.h"
#include "policies/prune.h"
#include "policies/residual_blocks.h"
#include "policies/search_space.h"
#include "tests/evaluators/small_networks.h"

namespace lathe::evaluators {
namespace {

using models::Network;

constexpr std::int64_t kRows = 40, kInputs = 8, kOutputs = 6, kRank = 2;

// Inputs that go together, with a mean.
Rows correlated_rows() {
  std::vector<std::vector<float>> rows;
  for (std::int64_t i = 0; i < kRows; ++i) {
    Rng rng(4, "rows", static_cast<std::uint64_t>(i));
    const double a = rng.normal(), b = rng.normal();
    std::vector<float> row;
    for (std::int64_t k = 0; k < kInputs; ++k)
      row.push_back(static_cast<float>(1 + a * static_cast<double>(k) + b * static_cast<double>(k % 3) + 0.3 * rng.normal()));
    rows.push_back(row);
  }
  return float_rows(rows, std::vector<std::int64_t>(kRows, 0));
}

Network random_linear_network() {
  std::vector<std::vector<float>> weight(kOutputs, std::vector<float>(kInputs));
  Rng rng(5, "weight");
  for (auto& row : weight) {
    for (float& value : row) value = static_cast<float>(rng.normal());
  }
  return linear_network(weight, {1, 2, 3, 4, 5, 6});
}

at::Tensor logits(const Network& network, const Rows& rows) {
  return models::Executor(network).run(rows.batch(0, rows.size()))[0].to(at::kDouble);
}

policies::Policy with_rank(const std::string& layer, double ratio) {
  return {.layers = {{.name = layer, .rank_ratio = ratio}}};
}

// The error of the best affine map of rank r after the layer: the eigenvalues of the responses' covariance that are left out (principal
// component analysis), by LAPACK through LibTorch.
TEST(LowRankFitting, LosesTheSmallestComponentsOfTheResponses) {
  const Rows rows = correlated_rows();
  const Network network = random_linear_network();
  const policies::CouplingAnalysis analysis = policies::analyze_coupling(network);
  const policies::Policy policy = with_rank("fc", static_cast<double>(kRank) / kOutputs);
  const LowRankFitting fitting(network, analysis, rows, {"fc"});
  EXPECT_TRUE(fitting.covers(policy));
  EXPECT_FALSE(fitting.covers(with_rank("other", 0.5)));
  const policies::KeptChannels all(analysis.groups.size());
  const at::Tensor y = logits(network, rows), centred = y - y.mean(0, /*keepdim=*/true);
  const at::Tensor values = at::linalg_eigvalsh(at::mm(centred.t(), centred) / static_cast<double>(kRows));
  const double least = values.slice(0, 0, kOutputs - kRank).sum().item<double>();
  const auto error = [&](const Network& factored) { return (logits(factored, rows) - y).square().sum(1).mean().item<double>(); };
  EXPECT_NEAR(error(fitting.rebuild(network, all, policy)), least, 1e-4 * least + 1e-9);
  EXPECT_GT(error(policies::with_low_rank(network, policy)), 1.5 * least);
}

struct Trained {
  Dataset data = stripes_dataset();
  Network network = policies::prepare_for_pruning(train(small_resnet(), data.train, {.epochs = 2, .batch_size = 32, .seed = 2}).network);
  policies::CouplingAnalysis analysis = policies::analyze_coupling(network);
};

// All at once: channels, a block, ranks and widths make a network that still works, is the one that is delivered, and whose
// BatchNormalization follows what was done.
TEST(Architecture, IsRebuiltBetweenPruningAndQuantization) {
  const Trained t;
  const std::vector<policies::ResidualBlock> blocks = policies::find_residual_blocks(t.network);
  ASSERT_FALSE(blocks.empty());
  policies::Policy policy{.blocks = {{.name = blocks[0].name, .keep = false}}};
  const auto is_inner = [&](const std::string& layer) {
    return std::any_of(blocks[0].nodes.begin(), blocks[0].nodes.end(),
                       [&](int n) { return t.network.nodes[static_cast<std::size_t>(n)].name == layer; });
  };
  std::size_t factored = 0;
  for (const policies::LayerInfo& layer : policies::describe_layers(t.network)) {
    if (is_inner(layer.name)) continue;
    const models::Node& node = t.network.nodes[static_cast<std::size_t>(layer.node)];
    const bool has_rank = policies::rank_at(0.5, policies::matrix_size(t.network, node)) > 0;
    factored += has_rank ? 1 : 0;
    policy.layers.push_back({.name = layer.name,
                             .weight_bits = 8,
                             .weight_format = "int",
                             .activation_bits = 8,
                             .activation_format = "int",
                             .rank_ratio = has_rank ? 0.5 : 1});
  }
  ASSERT_GT(factored, 0U);
  const Network rebuilt = compress_float(t.network, t.analysis, policy, t.data.calibration);
  EXPECT_LT(models::total_macs(rebuilt), models::total_macs(t.network) / 2);
  EXPECT_FALSE(models::node_indices(rebuilt).contains(blocks[0].name));
  const Network simulated = compress_simulated(t.network, t.analysis, policy, t.data),
                delivered = compress_delivered(t.network, t.analysis, policy, t.data);
  const auto quantized_weights = std::count_if(simulated.nodes.begin(), simulated.nodes.end(), [&](const models::Node& node) {
    return node.op == "FakeQuantize" && simulated.is_constant(node.inputs[0]);
  });
  EXPECT_EQ(static_cast<std::size_t>(quantized_weights), policy.layers.size() + factored);
  const at::Tensor difference = (logits(simulated, t.data.test) - logits(delivered, t.data.test)).abs().max();
  EXPECT_LT(difference.item<double>(), 0.2);
  const auto share_right = [&](const Network& network) {
    return logits(network, t.data.test).argmax(1).eq(t.data.test.labels).to(at::kDouble).mean().item<double>();
  };
  EXPECT_GT(share_right(t.network), 0.9);
  EXPECT_GT(share_right(simulated), 0.6);  // chance is a third
}

// With nothing left out, channels cut alone and with the architecture's part of the policy empty are the same.
TEST(Architecture, RanksAreSharesOfWhatPruningLeaves) {
  const Trained t;
  const auto group = std::find_if(t.analysis.groups.begin(), t.analysis.groups.end(),
                                  [](const auto& g) { return g.prunable && g.producers.size() == 1 && g.consumers.size() == 1; });
  ASSERT_NE(group, t.analysis.groups.end());
  policies::Policy policy = with_rank(group->consumers[0], 0.5);
  policy.groups.push_back({.name = group->name, .channels = group->channels / 2});
  const Network rebuilt = compress_float(t.network, t.analysis, policy, t.data.calibration);
  const auto nodes = models::node_indices(rebuilt);
  const models::Node& first = rebuilt.nodes[static_cast<std::size_t>(nodes.at(policies::first_factor_name(group->consumers[0])))];
  const models::Node& second = rebuilt.nodes[static_cast<std::size_t>(nodes.at(group->consumers[0]))];
  EXPECT_EQ(rebuilt.value(first.inputs[1]).shape[1], group->channels / 2);
  const std::int64_t outputs = rebuilt.value(second.inputs[1]).shape[0], inputs = 9 * group->channels / 2;
  EXPECT_EQ(rebuilt.value(first.inputs[1]).shape[0], std::min(outputs, inputs) / 2);
  models::validate(rebuilt);
}

}  // namespace
}  // namespace lathe::evaluators
