#include "evaluators/calibration.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/amax.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "evaluators/internal/network_rows.h"
#include "models/base/check.h"
#include "models/executor.h"

namespace lathe::evaluators {
namespace {

// Calls `run` for each batch. A last batch of less than half the size is left out where there is another: the variance of a handful
// of rows says little.
template <typename Function>
void for_each_batch(const Rows& rows, std::int64_t batch_size, Function run) {
  LATHE_CHECK_GT(batch_size, 0);
  for (std::int64_t begin = 0; begin < rows.size(); begin += batch_size) {
    const std::int64_t end = std::min(rows.size(), begin + batch_size);
    if (begin > 0 && (end - begin) * 2 < batch_size) return;
    run(begin, end);
  }
}

// Ranges do not depend on the order of the elements, so dense tensors of any memory format are read where they lie.
void observe(policies::RangeObserver& observer, const at::Tensor& value) {
  const at::Tensor dense = (value.is_non_overlapping_and_dense() ? value : value.contiguous()).to(at::kCPU, at::kFloat);
  observer.observe({dense.data_ptr<float>(), static_cast<std::size_t>(dense.numel())});
}

}  // namespace

ObservedActivations::ObservedActivations(const models::Network& network, const std::vector<models::ValueId>& values, const Rows& rows,
                                         std::int64_t batch_size, const std::string& device) {
  LATHE_CHECK_GT(rows.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  models::RunOptions run;
  for (const models::ValueId value : values) {
    if (observers_.try_emplace(value).second) run.observed.push_back(value);
  }
  run.observer = [&](models::ValueId id, const at::Tensor& value) { observe(observers_.at(id), value); };
  const models::Executor executor(network, device);
  for_each_batch(rows, batch_size, [&](std::int64_t begin, std::int64_t end) {
    executor.run(internal::as_network_inputs(network, rows.batch(begin, end)), run);
  });
}

policies::Range ObservedActivations::range(models::ValueId value, policies::RangeMethod method, int bits) const {
  return observers_.at(value).range(method, bits);
}

std::vector<policies::Range> calibrate_activations(const models::Network& network, const policies::ActivationPlan& plan, const Rows& rows,
                                                   policies::RangeMethod method, std::int64_t batch_size, const std::string& device) {
  if (plan.points.empty()) return {};
  std::vector<models::ValueId> values;
  for (const auto& point : plan.points) {
    if (!point.is_dynamic) values.push_back(point.value);
  }
  const ObservedActivations observed(network, values, rows, batch_size, device);
  std::vector<policies::Range> ranges;
  for (const auto& point : plan.points)
    ranges.push_back(point.is_dynamic ? policies::Range{} : observed.range(point.value, method, point.bits));
  return ranges;
}

policies::ChannelMaxima channel_maxima(const models::Network& network, const std::vector<models::ValueId>& values, const Rows& rows,
                                       std::int64_t batch_size) {
  policies::ChannelMaxima maxima;
  if (values.empty()) return maxima;
  LATHE_CHECK_GT(rows.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  models::RunOptions run{.observed = values};
  run.observer = [&](models::ValueId id, const at::Tensor& value) {
    const at::Tensor largest = at::amax(value.movedim(1, -1).reshape({-1, value.size(1)}), {0}).to(at::kFloat).contiguous();
    const float* begin = largest.data_ptr<float>();
    std::vector<float>& seen = maxima.try_emplace(id, begin, begin + largest.numel()).first->second;
    for (std::size_t c = 0; c < seen.size(); ++c) seen[c] = std::max(seen[c], begin[c]);
  };
  const models::Executor executor(network);
  for_each_batch(rows, batch_size, [&](std::int64_t begin, std::int64_t end) {
    executor.run(internal::as_network_inputs(network, rows.batch(begin, end)), run);
  });
  return maxima;
}

models::Network recalibrate_batch_norm(const models::Network& network, const Rows& rows, std::int64_t batch_size,
                                       const std::string& device) {
  const bool has_batch_norm =
      std::any_of(network.nodes.begin(), network.nodes.end(), [](const auto& node) { return node.op == "BatchNormalization"; });
  if (!has_batch_norm) return network;
  LATHE_CHECK_GT(rows.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  const models::Executor executor(network, device);
  models::RunOptions run{.batch_statistics = true};
  for_each_batch(rows, batch_size, [&](std::int64_t begin, std::int64_t end) {
    // new = (1 - m) old + m batch with m = batch / seen makes `new` the mean over all rows seen; the first batch replaces what was there.
    run.batch_norm_momentum = static_cast<double>(end - begin) / static_cast<double>(end);
    executor.run(internal::as_network_inputs(network, rows.batch(begin, end)), run);
  });
  return executor.snapshot();
}

}  // namespace lathe::evaluators
