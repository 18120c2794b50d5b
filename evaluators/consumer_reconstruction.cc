#include "evaluators/consumer_reconstruction.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_cholesky_ex.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "evaluators/internal/input_moments.h"
#include "evaluators/internal/layer_inputs.h"
#include "evaluators/internal/mean_outlet.h"
#include "models/base/check.h"
#include "models/executor.h"

namespace lathe::evaluators {
namespace {

using internal::LinearLayer;
using internal::MeanOutlet;
using models::Network;
using models::Node;
using models::ValueId;

struct Moments {
  LinearLayer layer;
  MeanOutlet outlet;
  at::Tensor mean;        // [inputs], double
  at::Tensor covariance;  // [inputs, inputs], double; about zero where there is no outlet
};

bool is_prunable(const policies::AxisExpression& axis, const policies::CouplingAnalysis& analysis) {
  for (const policies::Segment& segment : axis) {
    for (const policies::Factor& factor : segment) {
      if (factor.group >= 0 && analysis.groups[static_cast<std::size_t>(factor.group)].prunable) return true;
    }
  }
  return false;
}

std::vector<std::int64_t> complement(const std::vector<std::int64_t>& kept, std::int64_t size) {
  std::vector<std::int64_t> removed;
  for (std::int64_t i = 0; i < size; ++i) {
    if (!std::binary_search(kept.begin(), kept.end(), i)) removed.push_back(i);
  }
  return removed;
}

}  // namespace

struct ConsumerReconstruction::State {
  const Network& network;
  const policies::CouplingAnalysis& analysis;
  ReconstructionOptions options;
  std::vector<Moments> layers;

  const policies::AxisExpression& input_axis(const LinearLayer& layer) const {
    const auto& axes = analysis.axes[static_cast<std::size_t>(layer.input)];
    return layer.is_conv ? axes.at(1) : axes.back();
  }

  std::vector<LinearLayer> prunable_layers() const {
    std::vector<LinearLayer> found;
    for (int n = 0; n < static_cast<int>(network.nodes.size()); ++n) {
      LinearLayer layer;
      if (!internal::as_linear_layer(network, n, layer) || layer.inputs() > options.widest) continue;
      if (internal::uses(network, layer.weight) == 1 && is_prunable(input_axis(layer), analysis)) found.push_back(layer);
    }
    return found;
  }

  void measure(const Rows& calibration) {
    const internal::MomentOptions moment_options{.rows = options.rows, .positions = options.positions, .batch_size = options.batch_size};
    for (auto& measured : internal::measure_input_moments(network, prunable_layers(), calibration, moment_options)) {
      const MeanOutlet outlet = internal::mean_outlet(network, network.nodes[static_cast<std::size_t>(measured.layer.node)]);
      if (outlet.constant != models::kNoValue) measured.second -= at::outer(measured.mean, measured.mean);
      layers.push_back({.layer = measured.layer, .outlet = outlet, .mean = measured.mean, .covariance = measured.second});
    }
  }

  // W' on the kept inputs and 0 on the others; nothing where the factorization fails (inputs that are not finite).
  std::optional<at::Tensor> solve(const Moments& moments, const at::Tensor& weight, const at::Tensor& kept,
                                  const at::Tensor& removed) const {
    const at::Tensor rows = moments.covariance.index_select(0, kept);
    const double lambda = options.ridge * moments.covariance.diagonal().mean().item<double>();
    const at::Tensor system = rows.index_select(1, kept) + at::eye(kept.size(0), at::kDouble) * lambda;
    const auto [factor, info] = at::linalg_cholesky_ex(system);
    if (info.item<std::int64_t>() != 0) return std::nullopt;
    // (W_R C_RS (C_SS + lambda I)^-1)^T
    const at::Tensor right = at::mm(rows.index_select(1, removed), weight.index_select(1, removed).t());
    at::Tensor solved = at::zeros_like(weight);
    solved.index_copy_(1, kept, weight.index_select(1, kept) + at::cholesky_solve(right, factor).t());
    return solved;
  }

  void reconstruct(const Moments& moments, const policies::KeptChannels& kept_channels, Network& result) const {
    const LinearLayer& layer = moments.layer;
    const std::vector<std::int64_t> kept = policies::kept_indices(input_axis(layer), analysis, kept_channels);
    if (static_cast<std::int64_t>(kept.size()) == layer.channels || kept.empty()) return;
    const at::Tensor weight = internal::weight_matrix(network, layer);
    const std::optional<at::Tensor> solved = solve(moments, weight, internal::unfolded_indices(kept, layer.window),
                                                   internal::unfolded_indices(complement(kept, layer.channels), layer.window));
    if (!solved) return;
    result.constants[layer.weight] = internal::as_weight(network, layer, *solved);
    if (moments.outlet.constant == models::kNoValue) return;
    const at::Tensor shift = at::mv(weight - *solved, moments.mean);
    internal::shift_mean(result, moments.outlet, shift);
  }
};

ConsumerReconstruction::ConsumerReconstruction(const Network& network, const policies::CouplingAnalysis& analysis, const Rows& calibration,
                                               const ReconstructionOptions& options)
    : state_(new State{.network = network, .analysis = analysis, .options = options}) {
  LATHE_CHECK_EQ(analysis.axes.size(), network.values.size()) << "the analysis is of another network";
  LATHE_CHECK_GT(calibration.size(), 0);
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  state_->measure(calibration);
}

ConsumerReconstruction::~ConsumerReconstruction() = default;

Network ConsumerReconstruction::reconstruct(const policies::KeptChannels& kept) const {
  at::set_num_threads(1);
  const c10::NoGradGuard no_grad;
  Network result = state_->network;
  for (const Moments& moments : state_->layers) state_->reconstruct(moments, kept, result);
  return result;
}

}  // namespace lathe::evaluators
