#include "evaluators/pruning_importance.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "evaluators/gate_importance.h"
#include "evaluators/next_layer_selection.h"
#include "evaluators/readers/cifar_reader.h"
#include "models/executor.h"
#include "models/onnx_reader.h"
#include "policies/policy.h"
#include "policies/pruning_criterion.h"
#include "tests/evaluators/data_files.h"
#include "tests/evaluators/small_networks.h"

namespace lathe::evaluators {
namespace {

using models::Network;
using policies::CouplingAnalysis;
using policies::Importance;

struct ReferenceSelection {
  std::string criterion, group;
  std::vector<std::int64_t> kept;
};

const std::vector<ReferenceSelection>& reference_selections() {
  static const std::vector<ReferenceSelection> all{
#include "tests/evaluators/pruning_reference.inc"
  };
  return all;
}

std::size_t group_named(const CouplingAnalysis& analysis, const std::string& name) {
  const auto found = std::find_if(analysis.groups.begin(), analysis.groups.end(), [&](const auto& group) { return group.name == name; });
  EXPECT_NE(found, analysis.groups.end()) << name;
  return static_cast<std::size_t>(found - analysis.groups.begin());
}

// Every criterion but the random one, on the residual path too, where scores of up to ten layers are summed.
TEST(PruningImportance, SelectsTheChannelsThatNumpySelects) {
  const std::string model = data_folder() + "/models/resnet20_cifar10.onnx";
  if (!std::filesystem::exists(model)) GTEST_SKIP() << "no " << model << "; set LATHE_DATA";
  const Network network = policies::prepare_for_pruning(models::read_onnx(model));
  const CouplingAnalysis analysis = policies::analyze_coupling(network);
  Rows rows = first_rows(read_cifar10(data_folder() + "/cifar10/test_batch.bin"), 32);
  rows.mean = {0.485F, 0.456F, 0.406F};
  rows.stddev = {0.229F, 0.224F, 0.225F};
  std::map<std::string, Importance> importance;
  for (const ReferenceSelection& reference : reference_selections()) {
    SCOPED_TRACE(reference.criterion + " in " + reference.group);
    if (!importance.contains(reference.criterion)) {
      // One batch and every position, as in the reference.
      importance.emplace(reference.criterion, channel_importance(network, analysis, reference.criterion, /*seed=*/0, &rows,
                                                                 {.positions = 32 * 32, .batch_size = 32}));
    }
    const auto& scores = importance.at(reference.criterion)[group_named(analysis, reference.group)];
    ASSERT_EQ(scores.size(), 2 * reference.kept.size());
    EXPECT_EQ(policies::most_important(scores, static_cast<std::int64_t>(reference.kept.size())), reference.kept);
  }
}

TEST(PruningImportance, EveryCriterionScoresEveryPrunableGroup) {
  const Network network = policies::prepare_for_pruning(small_resnet());
  const CouplingAnalysis analysis = policies::analyze_coupling(network);
  const Rows rows = stripes(40, 1);
  for (const std::string& criterion : policies::pruning_criteria()) {
    SCOPED_TRACE(criterion);
    const Importance importance = channel_importance(network, analysis, criterion, /*seed=*/3, &rows);
    EXPECT_EQ(importance, channel_importance(network, analysis, criterion, /*seed=*/3, &rows));
    ASSERT_EQ(importance.size(), analysis.groups.size());
    for (std::size_t g = 0; g < importance.size(); ++g) {
      ASSERT_EQ(static_cast<std::int64_t>(importance[g].size()), analysis.groups[g].channels);
      for (const double score : importance[g]) EXPECT_TRUE(std::isfinite(score)) << analysis.groups[g].name;
    }
  }
}

double summed_loss(const Network& network, const Rows& rows) {
  const at::Tensor logits = models::Executor(network).run(rows.batch(0, rows.size()))[0].to(at::kDouble);
  const at::Tensor log_likelihood = logits.log_softmax(1).gather(1, rows.labels.unsqueeze(1));
  return -log_likelihood.sum().item<double>();
}

Network with_scaled_channel(Network network, const std::vector<models::ValueId>& constants, std::int64_t channel, double factor) {
  for (const models::ValueId id : constants) {
    const at::Tensor scaled = models::to_torch(network.constants.at(id));
    scaled.select(0, channel).mul_(factor);
    network.constants.at(id) = models::from_torch(scaled);
  }
  return network;
}

// A gate scales gamma and beta of the BatchNormalization behind the layer; for the last layer, its weights and bias.
TEST(GateGradients, EqualCentralDifferencesOfTheLoss) {
  const Network network = policies::prepare_for_pruning(small_resnet());
  const CouplingAnalysis analysis = policies::analyze_coupling(network);
  const Rows rows = stripes(16, 1);
  const auto readers = models::consumers(network);
  constexpr double kStep = 2e-2;  // losses are sums of floats: differences of smaller steps drown in rounding
  for (const GateGradients& layer : gate_gradients(network, analysis, rows, /*batch_size=*/16)) {
    const models::Node& node = network.nodes[static_cast<std::size_t>(layer.node)];
    SCOPED_TRACE(node.name);
    std::vector<models::ValueId> gated{node.inputs.begin() + 1, node.inputs.end()};
    const auto& nodes = readers[static_cast<std::size_t>(node.outputs[0])];
    if (!nodes.empty()) {
      const models::Node& norm = network.nodes[static_cast<std::size_t>(nodes[0])];
      ASSERT_EQ(norm.op, "BatchNormalization");
      ASSERT_EQ(layer.value, norm.outputs[0]);
      gated = {norm.inputs[1], norm.inputs[2]};
    }
    ASSERT_EQ(layer.batches.size(), 1U);
    const at::Tensor gradient = layer.batches[0].sum(0);
    const double largest = gradient.abs().max().item<double>();
    for (std::int64_t c = 0; c < std::min<std::int64_t>(gradient.size(0), 3); ++c) {
      const double above = summed_loss(with_scaled_channel(network, gated, c, 1 + kStep), rows);
      const double below = summed_loss(with_scaled_channel(network, gated, c, 1 - kStep), rows);
      EXPECT_NEAR(gradient[c].item<double>(), (above - below) / (2 * kStep), 0.03 * largest + 1e-4) << "channel " << c;
    }
  }
}

// Products of z_0 = -z_1 and a small z_2: the pair cancels, so removing both costs nothing, though each alone is large.
TEST(ThiNet, RemovesChannelsThatCancel) {
  const at::Tensor products = at::tensor({4.0, -4.0, 0.0, -4.0, 4.0, 0.0, 0.0, 0.0, 5.0}, at::kDouble).view({3, 3});
  EXPECT_EQ(thinet_removal_order(products), (std::vector<double>{0, 1, 2}));
}

// With orthogonal channels of size G_cc the minimizer is b_c = max(0, 1 - lambda / G_cc): channel c enters at lambda = G_cc.
TEST(Lasso, OrthogonalChannelsEnterAtTheirSize) {
  const at::Tensor products = at::diag(at::tensor({1.0, 8.0, 3.0}, at::kDouble));
  const std::vector<double> entry = lasso_entry_points(products);
  EXPECT_NEAR(entry[0], 1, 0.04);  // the path has steps of 1 %
  EXPECT_NEAR(entry[1], 8, 0.3);
  EXPECT_NEAR(entry[2], 3, 0.1);
}

}  // namespace
}  // namespace lathe::evaluators
