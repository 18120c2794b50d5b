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

}  // namespace
}  // namespace lathe::evaluators
