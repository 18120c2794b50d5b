#include "evaluators/bias_correction.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "evaluators/compression.h"
#include "models/executor.h"
#include "models/fold_batch_norm.h"
#include "policies/quantize_network.h"
#include "tests/evaluators/trained_network.h"

namespace lathe::evaluators {
namespace {

// Mean of each layer's outputs, all layers in a row.
std::vector<double> layer_means(const models::Network& network, const Rows& rows) {
  std::vector<double> means;
  models::RunOptions run;
  for (const auto& node : network.nodes) {
    if (node.op == "Conv" || node.op == "Gemm") run.observed.push_back(node.outputs[0]);
  }
  run.observer = [&](models::ValueId, const at::Tensor& y) {
    const at::Tensor by_channel = y.movedim(1, -1).reshape({-1, y.size(1)}).mean(0);
    for (std::int64_t c = 0; c < by_channel.size(0); ++c) means.push_back(by_channel[c].item<double>());
  };
  models::Executor(network).run(rows.batch(0, rows.size()), run);
  return means;
}

double furthest(const std::vector<double>& a, const std::vector<double>& b) {
  double distance = 0;
  for (std::size_t i = 0; i < a.size(); ++i) distance = std::max(distance, std::abs(a[i] - b[i]));
  return distance;
}

// The aim itself: no channel of any layer, the last ones included, has another mean than in the float network.
TEST(BiasCorrection, GivesEveryLayerTheMeansOfTheFloatNetwork) {
  const auto& [data, network, analysis] = trained();
  const models::Network folded = models::fold_batch_norm(network);
  const models::Network quantized = policies::insert_fake_quantize(folded, uniform(1, 3), {}, {});
  const models::Network corrected = correct_biases(quantized, folded, data.calibration);
  const auto wanted = layer_means(folded, data.calibration);
  EXPECT_GT(furthest(layer_means(quantized, data.calibration), wanted), 0.05);
  EXPECT_LT(furthest(layer_means(corrected, data.calibration), wanted), 1e-4);  // sums of floats
}

// The same where BatchNormalization takes the shift.
TEST(BiasCorrection, MovesTheMeanOfABatchNormalization) {
  const auto& [data, network, analysis] = trained();
  const models::Network quantized = policies::insert_fake_quantize(network, uniform(1, 3), {}, {});
  const models::Network corrected = models::fold_batch_norm(correct_biases(quantized, network, data.calibration));
  const auto wanted = layer_means(models::fold_batch_norm(network), data.calibration);
  EXPECT_LT(furthest(layer_means(corrected, data.calibration), wanted), 1e-4);
}

// The same where an exporter wrote the bias as a constant that is added, as Transformers have it.
TEST(BiasCorrection, MovesTheConstantThatIsAddedToAProduct) {
  models::Network network{.name = "products"};
  const auto value = [&](const std::string& name) { return network.add_value({name, models::DataType::kFloat32, {models::kDynamic, 4}}); };
  const auto constant = [&](const std::string& name, const models::Shape& shape) {
    Rng rng(6, name);
    std::vector<float> values;
    for (std::int64_t i = 0; i < models::element_count(shape); ++i) values.push_back(static_cast<float>(rng.normal()));
    return network.add_constant(name, models::Tensor::from<float>(shape, values));
  };
  policies::Policy policy;
  network.inputs = {value("x")};
  models::ValueId last = network.inputs[0];
  for (const std::string name : {"first", "second"}) {
    const auto product = value(name + ".product"), sum = value(name + ".sum"), active = value(name + ".active");
    network.nodes.push_back({.name = name, .op = "MatMul", .inputs = {last, constant(name + ".w", {4, 4})}, .outputs = {product}});
    network.nodes.push_back({.name = name + ".add", .op = "Add", .inputs = {product, constant(name + ".b", {4})}, .outputs = {sum}});
    network.nodes.push_back({.name = name + ".relu", .op = "Relu", .inputs = {sum}, .outputs = {active}});
    policy.layers.push_back({.name = name, .weight_bits = 3, .weight_format = "int", .activation_bits = 32, .activation_format = "float"});
    last = active;
    network.outputs = {sum};
  }
  network = models::without_dead_nodes(network);
  std::vector<std::vector<float>> x(200);
  Rng rng(7, "rows");
  for (auto& row : x) {
    for (int i = 0; i < 4; ++i) row.push_back(static_cast<float>(1 + rng.normal()));
  }
  const Rows rows = float_rows(x, std::vector<std::int64_t>(x.size(), 0));
  const models::Network quantized = policies::insert_fake_quantize(network, policy, {}, {});
  const auto means = [&](const models::Network& of) { return models::Executor(of).run(rows.batch(0, rows.size()))[0].mean(0); };
  const auto furthest = [&](const models::Network& of) { return (means(of) - means(network)).abs().max().item<double>(); };
  EXPECT_GT(furthest(quantized), 0.05);
  EXPECT_LT(furthest(correct_biases(quantized, network, rows, rows.size())), 1e-4);
}

}  // namespace
}  // namespace lathe::evaluators
