#include "evaluators/consumer_reconstruction.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "evaluators/accuracy.h"
#include "evaluators/compression.h"
#include "evaluators/trainer.h"
#include "models/base/error.h"
#include "models/executor.h"
#include "policies/prune.h"
#include "tests/evaluators/small_networks.h"

namespace lathe::evaluators {
namespace {

using models::Network;
using models::Tensor;

// An inner group: one producer and one consumer, as between the two convolutions of a residual block.
std::size_t inner_group(const policies::CouplingAnalysis& analysis) {
  const auto group = std::find_if(analysis.groups.begin(), analysis.groups.end(),
                                  [](const auto& g) { return g.prunable && g.producers.size() == 1 && g.consumers.size() == 1; });
  EXPECT_NE(group, analysis.groups.end());
  return static_cast<std::size_t>(group - analysis.groups.begin());
}

// The second half of the channels that `layer` makes become copies of the first half, in its weights and its BatchNormalization.
void duplicate_channels(Network& network, const std::string& layer) {
  const auto node = std::find_if(network.nodes.begin(), network.nodes.end(), [&](const auto& n) { return n.name == layer; });
  ASSERT_NE(node, network.nodes.end());
  const auto norm = std::find_if(network.nodes.begin(), network.nodes.end(),
                                 [&](const auto& n) { return n.op == "BatchNormalization" && n.inputs[0] == node->outputs[0]; });
  ASSERT_NE(norm, network.nodes.end());
  std::vector<models::ValueId> constants{node->inputs[1]};
  constants.insert(constants.end(), norm->inputs.begin() + 1, norm->inputs.end());
  for (const models::ValueId id : constants) {
    const std::int64_t channels = network.value(id).shape[0];
    std::vector<std::int64_t> source;
    for (std::int64_t c = 0; c < channels; ++c) source.push_back(c % (channels / 2));
    network.constants.at(id) = network.constants.at(id).index_select(0, source);
  }
}

at::Tensor logits(const Network& network, const Rows& rows) {
  return models::Executor(network).run(rows.batch(0, rows.size()))[0];
}

// Copies carry nothing new: without them the consumer can compute just what it did, and no statistic has a reason to move.
TEST(ConsumerReconstruction, MakesUpForDuplicatedChannelsExactly) {
  const Dataset data = stripes_dataset();
  Network network = policies::prepare_for_pruning(train(small_resnet(), data.train, {.epochs = 1, .batch_size = 32, .seed = 2}).network);
  const auto analysis = policies::analyze_coupling(network);
  const std::size_t g = inner_group(analysis);
  duplicate_channels(network, analysis.groups[g].producers[0]);
  policies::Policy policy;
  std::vector<std::int64_t> kept;
  for (std::int64_t c = 0; c < analysis.groups[g].channels / 2; ++c) kept.push_back(c);
  policy.groups = {{.name = analysis.groups[g].name, .kept = kept}};

  const ConsumerReconstruction reconstruction(network, analysis, data.calibration, {.ridge = 1e-9});
  const Network with = compress_float(network, analysis, policy, data.calibration, {.reconstruction = &reconstruction});
  const Network without = compress_float(network, analysis, policy, data.calibration);
  const at::Tensor wanted = logits(network, data.test);
  const auto furthest = [&](const Network& other) { return (logits(other, data.test) - wanted).abs().max().item().toDouble(); };
  EXPECT_LT(furthest(with), 2e-3 * wanted.abs().max().item().toDouble());  // covariances are sums of floats
  EXPECT_GT(furthest(without), 2e-2 * wanted.abs().max().item().toDouble());
}

struct TwoLayers {
  Network network{.name = "two_layers"};
  models::ValueId hidden = models::kNoValue;
};

// logits = W2 relu(W1 x + b1) + b2 with fixed random weights; x of 6, hidden of 8, 3 classes.
TwoLayers two_layers() {
  TwoLayers result;
  Network& network = result.network;
  Rng rng(3, "two_layers");
  const auto random = [&](const std::string& name, const models::Shape& shape) {
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) size *= extent;
    std::vector<float> values;
    for (std::int64_t i = 0; i < size; ++i) values.push_back(static_cast<float>(rng.normal()));
    return network.add_constant(name, Tensor::from<float>(shape, values));
  };
  const auto value = [&](const std::string& name, std::int64_t width) {
    return network.add_value({name, models::DataType::kFloat32, {models::kDynamic, width}});
  };
  const auto x = value("x", 6), a = value("a", 8), h = value("h", 8), y = value("y", 3);
  const std::map<std::string, models::Attribute> transposed{{"transB", std::int64_t{1}}};
  network.nodes = {
      {.name = "fc1", .op = "Gemm", .inputs = {x, random("w1", {8, 6}), random("b1", {8})}, .outputs = {a}, .attributes = transposed},
      {.name = "relu", .op = "Relu", .inputs = {a}, .outputs = {h}},
      {.name = "fc2", .op = "Gemm", .inputs = {h, random("w2", {3, 8}), random("b2", {3})}, .outputs = {y}, .attributes = transposed}};
  network.inputs = {x};
  network.outputs = {y};
  result.hidden = h;
  return result;
}

Rows normal_rows(std::int64_t count, std::int64_t width) {
  std::vector<std::vector<float>> x(static_cast<std::size_t>(count));
  Rng rng(4, "normal_rows");
  for (auto& row : x) {
    for (std::int64_t i = 0; i < width; ++i) row.push_back(static_cast<float>(rng.normal()));
  }
  return float_rows(x, std::vector<std::int64_t>(static_cast<std::size_t>(count), 0));
}

// The normal equations of least squares: what is left of the output has mean zero and no correlation with any input that stays.
TEST(ConsumerReconstruction, LeavesNothingThatKeptInputsExplain) {
  auto [network, hidden] = two_layers();
  const auto analysis = policies::analyze_coupling(network);
  ASSERT_EQ(analysis.groups[0].producers, std::vector<std::string>{"fc1"});
  const Rows rows = normal_rows(500, 6);
  policies::KeptChannels kept(analysis.groups.size());
  kept[0] = {0, 2, 5};
  const ConsumerReconstruction reconstruction(network, analysis, rows, {.ridge = 0});
  const Network pruned = policies::prune(reconstruction.reconstruct(kept), analysis, kept);

  const at::Tensor left = (logits(network, rows) - logits(pruned, rows)).to(at::kDouble);
  network.outputs = {hidden};
  const at::Tensor inputs = logits(network, rows).index_select(1, at::tensor({0, 2, 5}, at::kLong)).to(at::kDouble);
  const double size = left.abs().mean().item().toDouble();
  EXPECT_GT(size, 0.1);  // something is lost
  EXPECT_LT(left.mean(0).abs().max().item().toDouble(), 1e-4 * size);
  EXPECT_LT((at::mm(left.t(), inputs) / 500).abs().max().item().toDouble(), 1e-4 * size);
}

TEST(ConsumerReconstruction, LeavesAWholeNetworkAsItIs) {
  const TwoLayers layers = two_layers();
  const auto analysis = policies::analyze_coupling(layers.network);
  const ConsumerReconstruction reconstruction(layers.network, analysis, normal_rows(50, 6));
  EXPECT_TRUE(reconstruction.reconstruct(policies::KeptChannels(analysis.groups.size())) == layers.network);
}

}  // namespace
}  // namespace lathe::evaluators
