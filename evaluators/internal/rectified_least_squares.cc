#include "evaluators/internal/rectified_least_squares.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_cholesky_ex.h>
#include <ATen/ops/mv.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>

#include "evaluators/internal/linear_targets.h"

namespace lathe::evaluators::internal {
namespace {

// t, and of stopped outputs what is given now, cut off where the relu does.
at::Tensor reachable_target(const WantedOutput& wanted, const at::Tensor& given) {
  const at::Tensor sign = wanted.gain.sign();
  const at::Tensor is_let_through = (wanted.output + wanted.offset) * sign > 0;
  return at::where(is_let_through, wanted.output, ((given + wanted.offset) * sign).clamp_max(0) * sign - wanted.offset);
}

}  // namespace

std::optional<Affine> rectified_least_squares(const at::Tensor& x, const WantedOutput& wanted, const LeastSquaresOptions& options) {
  CrossMoments moments = cross_moments(x, wanted.output, options.has_bias);
  const double lambda = options.ridge * moments.second.diagonal().mean().item<double>();
  const auto [factor, info] = at::linalg_cholesky_ex(moments.second + at::eye(x.size(1), at::kDouble) * lambda);
  if (info.item<std::int64_t>() != 0) return std::nullopt;
  const auto solved = [&, &factor = factor] {
    const at::Tensor weight = at::cholesky_solve(moments.products + lambda * options.weight.t(), factor).t();
    const at::Tensor bias = moments.y_mean - at::mv(weight, moments.x_mean);
    return Affine{weight, options.has_bias ? bias : at::zeros_like(bias)};
  };
  Affine result = solved();
  for (int step = 0; wanted.offset.defined() && step < options.relu_steps; ++step) {
    const auto on_device = [&](const at::Tensor& values) { return values.to(x.device(), at::kFloat); };
    const at::Tensor given = at::addmm(on_device(result.bias), x, on_device(result.weight).t());
    replace_target(moments, x, reachable_target(wanted, given), options.has_bias);
    result = solved();
  }
  return result;
}

}  // namespace lathe::evaluators::internal
