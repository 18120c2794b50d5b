#include "evaluators/sequential_reconstruction.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "evaluators/compression.h"
#include "evaluators/compute_device.h"
#include "evaluators/consumer_reconstruction.h"
#include "models/executor.h"
#include "policies/prune.h"
#include "policies/search_space.h"
#include "tests/evaluators/trained_network.h"
#include "tests/hwmodels/sketched_transformer.h"

namespace lathe::evaluators {
namespace {

using models::Network;

// The output of the node of that name, on all rows.
at::Tensor value_of(Network network, const std::string& name, const Rows& rows) {
  const auto node = std::find_if(network.nodes.begin(), network.nodes.end(), [&](const auto& n) { return n.name == name; });
  network.outputs = {node->outputs[0]};
  return models::Executor(network).run(rows.batch(0, rows.size()))[0].to(at::kDouble);
}

double distance(const Network& a, const Network& b, const Rows& rows) {
  const auto logits = [&](const Network& network) { return models::Executor(network).run(rows.batch(0, rows.size()))[0]; };
  return (logits(a) - logits(b)).square().mean().item<double>();
}

// y = W3 relu(W2 relu(W1 x + b1) + b2) + b3 of fixed random weights, 6 wide, 8 between.
Network chain() {
  Network network{.name = "chain"};
  const auto value = [&](const std::string& name, std::int64_t width) {
    return network.add_value({name, models::DataType::kFloat32, {models::kDynamic, width}});
  };
  const auto constant = [&](const std::string& name, const models::Shape& shape) {
    Rng rng(3, name);
    std::vector<float> values;
    for (std::int64_t i = 0; i < models::element_count(shape); ++i) values.push_back(static_cast<float>(rng.normal()));
    return network.add_constant(name, models::Tensor::from<float>(shape, values));
  };
  network.inputs = {value("x", 6)};
  models::ValueId last = network.inputs[0];
  const std::vector<std::int64_t> widths{6, 8, 8, 3};
  for (std::size_t layer = 1; layer < widths.size(); ++layer) {
    const std::string name = "fc" + std::to_string(layer);
    const auto y = value(name + ":0", widths[layer]);
    network.nodes.push_back(
        {.name = name,
         .op = "Gemm",
         .inputs = {last, constant(name + ".w", {widths[layer], widths[layer - 1]}), constant(name + ".b", {widths[layer]})},
         .outputs = {y},
         .attributes = {{"transB", std::int64_t{1}}}});
    last = y;
    if (layer + 1 == widths.size()) break;
    last = value("relu" + std::to_string(layer) + ":0", widths[layer]);
    network.nodes.push_back({.name = "relu" + std::to_string(layer), .op = "Relu", .inputs = {y}, .outputs = {last}});
  }
  network.outputs = {last};
  return network;
}

Rows normal_rows(std::int64_t count) {
  std::vector<std::vector<float>> x(static_cast<std::size_t>(count));
  Rng rng(4, "normal_rows");
  for (auto& row : x) {
    for (int i = 0; i < 6; ++i) row.push_back(static_cast<float>(rng.normal()));
  }
  return float_rows(x, std::vector<std::int64_t>(static_cast<std::size_t>(count), 0));
}

// The normal equations: what a layer's output lacks has mean zero and no correlation with what the pruned network itself feeds the layer.
TEST(SequentialReconstruction, LeavesNothingThatTheInputsOfThePrunedNetworkExplain) {
  const Network network = chain();
  const auto analysis = policies::analyze_coupling(network);
  const Rows rows = normal_rows(500);
  policies::KeptChannels kept(analysis.groups.size());
  kept[0] = {0, 2, 5, 6};
  kept[1] = {1, 2, 3, 7};
  const Network pruned = policies::prune(network, analysis, kept);
  // What the search starts from: consumers are reconstructed already, their biases moved.
  const Network moved = policies::prune(ConsumerReconstruction(network, analysis, rows).reconstruct(kept), analysis, kept);
  for (const Network* start : {&pruned, &moved}) {
    // Just enough for units that are never active.
    const Network solved = SequentialReconstruction(network, analysis, rows, {.ridge = 1e-9, .relu_steps = 0}).reconstruct(kept, *start);

    const at::Tensor left = value_of(network, "fc3", rows) - value_of(solved, "fc3", rows), inputs = value_of(solved, "relu2", rows);
    const double size = left.abs().mean().item<double>();
    EXPECT_GT(size, 0.1);  // something is lost
    EXPECT_LT(left.mean(0).abs().max().item<double>(), 1e-4 * size);
    EXPECT_LT((at::mm(left.t(), inputs) / 500).abs().max().item<double>(), 1e-4 * size);
    EXPECT_LT(distance(solved, network, rows), 0.5 * distance(pruned, network, rows));
  }
}

// A whole network reproduces itself: each layer's weights solve its own least squares.
TEST(SequentialReconstruction, LeavesAWholeNetworkAsItIs) {
  const auto& [data, network, analysis] = trained();
  const policies::KeptChannels all(analysis.groups.size());
  EXPECT_LT(distance(SequentialReconstruction(network, analysis, data.calibration).reconstruct(all, network), network, data.test), 1e-6);
}

// Sums of a branch and its shortcut have no mean error, although the shortcut brings one along.
TEST(SequentialReconstruction, MakesUpForTheShortcut) {
  const auto& [data, network, analysis] = trained();
  policies::KeptChannels kept(analysis.groups.size());
  for (std::size_t g = 0; g < kept.size(); ++g) {
    const auto& group = analysis.groups[g];
    if (!group.prunable || group.producers.size() != 1 || group.consumers.size() != 1) continue;
    for (std::int64_t c = 0; c < group.channels / 2; ++c) kept[g].push_back(c);
  }
  const Network pruned = policies::prune(network, analysis, kept);
  const Network solved = SequentialReconstruction(network, analysis, data.calibration, {.relu_steps = 0}).reconstruct(kept, pruned);
  int sums = 0;
  for (const auto& node : network.nodes) {
    if (node.op != "Add") continue;
    const at::Tensor wanted = value_of(network, node.name, data.calibration), now = value_of(solved, node.name, data.calibration);
    const double size = (now - wanted).abs().mean().item<double>();
    EXPECT_LT((now - wanted).mean({0, 2, 3}).abs().max().item<double>(), 1e-2 * size) << node.name;
    ++sums;
  }
  EXPECT_GE(sums, 2);
}

// Half of each inner group, by what one network shared over two policies and by one of its own.
TEST(SequentialReconstruction, PoliciesThatShareANetworkDoNotSeeEachOther) {
  const auto& [data, network, analysis] = trained();
  const policies::KeptChannels half = policies::kept_channels(network, analysis, uniform(0.5, 32)),
                               most = policies::kept_channels(network, analysis, uniform(0.75, 32));
  const SequentialReconstruction shared(network, analysis, data.calibration);
  shared.reconstruct(most, policies::prune(network, analysis, most));
  const Network pruned = policies::prune(network, analysis, half);
  const Network alone = SequentialReconstruction(network, analysis, data.calibration).reconstruct(half, pruned);
  EXPECT_EQ(distance(shared.reconstruct(half, pruned), alone, data.test), 0);
}

TEST(SequentialReconstruction, OnAGpuIsAsOnTheCpu) {
  if (gpu_count() == 0) GTEST_SKIP() << "this LibTorch finds no GPU";
  const auto& [data, network, analysis] = trained();
  const policies::KeptChannels kept = policies::kept_channels(network, analysis, uniform(0.5, 32));
  const Network pruned = policies::prune(network, analysis, kept);
  const auto solved = [&](const std::string& device) {
    return SequentialReconstruction(network, analysis, data.calibration, {.device = device}).reconstruct(kept, pruned);
  };
  EXPECT_LT(distance(solved("cuda"), solved("cpu"), data.test), 1e-4);
}

TEST(SequentialReconstruction, LookingBehindTheReluComesCloser) {
  const auto& [data, network, analysis] = trained();
  const policies::KeptChannels kept = policies::kept_channels(network, analysis, uniform(0.5, 32));
  const Network pruned = policies::prune(network, analysis, kept);
  const auto solved = [&](int relu_steps) {
    return SequentialReconstruction(network, analysis, data.calibration, {.relu_steps = relu_steps}).reconstruct(kept, pruned);
  };
  EXPECT_LT(distance(solved(5), network, data.calibration), distance(solved(0), network, data.calibration));
}

TEST(SequentialReconstruction, IsCloserThanReconstructionAtOnce) {
  const auto& [data, network, analysis] = trained();
  const ConsumerReconstruction reconstruction(network, analysis, data.calibration);
  const SequentialReconstruction sequential(network, analysis, data.calibration);
  const policies::Policy policy = uniform(0.5, 32);
  const auto compressed = [&](bool in_sequence) {
    return compress_float(network, analysis, policy, data.calibration,
                          {.reconstruction = &reconstruction, .sequential = in_sequence ? &sequential : nullptr});
  };
  EXPECT_LT(distance(compressed(true), network, data.test), 0.9 * distance(compressed(false), network, data.test));
}

std::map<std::string, std::vector<float>> weights_of(const Network& network) {
  std::map<std::string, std::vector<float>> weights;
  for (const auto& [id, tensor] : network.constants) {
    if (tensor.type() == models::DataType::kFloat32 && tensor.shape().size() == 2) weights[network.value(id).name] = tensor.to_floats();
  }
  return weights;
}

// Layers are compared with their former selves at every token; those that go afterwards change no weight.
TEST(SequentialReconstruction, IsTheSameBesideDroppedTokens) {
  const Network network = policies::prepare_for_pruning(hwmodels::TransformerSketch().draw(2));
  const auto analysis = policies::analyze_coupling(network);
  Rng rng(8, "sentences");
  std::vector<float> x;
  for (int i = 0; i < 40 * 12 * 24; ++i) x.push_back(static_cast<float>(rng.normal()));
  Rows rows;
  rows.inputs = {at::tensor(at::ArrayRef<float>(x)).view({40, 12, 24})};
  rows.labels = at::tensor(std::vector<std::int64_t>(40, 0));
  policies::Policy policy;
  policy.groups = {{.name = "block0/up", .keep_ratio = 0.5}, {.name = "block1/up", .keep_ratio = 0.5}};
  const SequentialReconstruction sequential(network, analysis, rows);
  const CompressionOptions options{.sequential = &sequential};
  const Network whole = compress_float(network, analysis, policy, rows, options);
  policies::Policy channels = policy;
  policy.groups.push_back({.name = "block0/out/tokens", .keep_ratio = 0.5});
  const Network fewer = compress_float(network, analysis, policy, rows, options);
  EXPECT_EQ(weights_of(fewer), weights_of(whole));
  EXPECT_NE(weights_of(fewer), weights_of(compress_float(network, analysis, policy, rows, {})));
  EXPECT_EQ(value_of(fewer, "block0/norm2", rows).size(1), 6);
  EXPECT_GT(distance(fewer, whole, rows), 0);
  // And where a block goes and a layer is factored behind the place.
  for (policies::Policy* changed : {&policy, &channels}) {
    changed->blocks = {{.name = "block1/add1", .keep = false}};
    changed->layers = {{.name = "block1/down", .rank_ratio = 0.3}};
  }
  const Network rebuilt = compress_float(network, analysis, policy, rows, options);
  EXPECT_EQ(weights_of(rebuilt), weights_of(compress_float(network, analysis, channels, rows, options)));
  EXPECT_FALSE(weights_of(rebuilt).contains("block1/q.weight"));
  EXPECT_EQ(value_of(rebuilt, "block1/norm2", rows).size(1), 6);
}

}  // namespace
}  // namespace lathe::evaluators
