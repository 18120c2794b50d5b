#include "evaluators/internal/input_moments.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <map>

#include "evaluators/internal/network_rows.h"
#include "models/base/check.h"
#include "models/executor.h"

namespace lathe::evaluators::internal {
namespace {

using models::ValueId;

// Products in float, which is exact enough for one batch, sums over batches in double.
void add(const models::Network& network, const at::Tensor& x, std::int64_t positions, InputMoments& moments) {
  const at::Tensor rows = unfolded_input(network, moments.layer, x.to(at::kFloat), positions);
  moments.mean += rows.sum(0, /*keepdim=*/false, at::kDouble);
  moments.second += at::mm(rows.t(), rows);
  moments.samples += rows.size(0);
}

}  // namespace

at::Tensor second_moments(const InputMoments& measured, bool is_centred) {
  return is_centred ? measured.second - at::outer(measured.mean, measured.mean) : measured.second;
}

std::vector<InputMoments> measure_input_moments(const models::Network& network, const std::vector<LinearLayer>& layers,
                                                const Rows& calibration, const MomentOptions& options) {
  const c10::NoGradGuard no_grad;
  std::vector<InputMoments> all;
  std::multimap<ValueId, std::size_t> by_input;
  models::RunOptions run;
  for (const LinearLayer& layer : layers) {
    if (!by_input.contains(layer.input)) run.observed.push_back(layer.input);
    by_input.emplace(layer.input, all.size());
    all.push_back({.layer = layer,
                   .mean = at::zeros({layer.inputs()}, at::kDouble),
                   .second = at::zeros({layer.inputs(), layer.inputs()}, at::kDouble)});
  }
  if (all.empty()) return all;
  run.observer = [&](ValueId id, const at::Tensor& value) {
    for (auto [entry, end] = by_input.equal_range(id); entry != end; ++entry) add(network, value, options.positions, all[entry->second]);
  };
  const models::Executor executor(network);
  const std::int64_t rows = std::min(options.rows, calibration.size());
  for (std::int64_t begin = 0; begin < rows; begin += options.batch_size) {
    const std::int64_t end = std::min(rows, begin + options.batch_size);
    executor.run(as_network_inputs(network, calibration.batch(begin, end)), run);
  }
  for (InputMoments& moments : all) {
    LATHE_CHECK_GT(moments.samples, 0);
    moments.mean /= static_cast<double>(moments.samples);
    moments.second /= static_cast<double>(moments.samples);
  }
  return all;
}

}  // namespace lathe::evaluators::internal
