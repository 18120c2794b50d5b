#include "evaluators/internal/settle_inputs.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cholesky_inverse.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_cholesky_ex.h>

namespace lathe::evaluators::internal {
namespace {

// U with U^T U = (H + lambda I)^-1, or undefined.
at::Tensor inverse_factor(const at::Tensor& moments, double damping) {
  const double lambda = damping * moments.diagonal().mean().item<double>();
  const auto [lower, info] = at::linalg_cholesky_ex(moments + at::eye(moments.size(0), at::kDouble) * lambda);
  if (info.item<std::int64_t>() != 0) return {};
  const auto [upper, inverse_info] = at::linalg_cholesky_ex(at::cholesky_inverse(lower), /*upper=*/true);
  return inverse_info.item<std::int64_t>() == 0 && at::isfinite(upper).all().item<bool>() ? upper : at::Tensor();
}

}  // namespace

at::Tensor settle_inputs(const at::Tensor& weight, const at::Tensor& moments, const at::Tensor& order, double damping,
                         const std::function<at::Tensor(const UnsettledInputs&)>& rule) {
  const at::Tensor factor = inverse_factor(moments.index_select(0, order).index_select(1, order), damping);
  if (!factor.defined()) return {};
  at::Tensor left = weight.index_select(1, order);
  const std::int64_t inputs = weight.size(1);
  for (std::int64_t i = 0; i < inputs; ++i) {
    const at::Tensor settled = rule({.next = i, .weight = left, .factor = factor});
    at::Tensor column = left.narrow(1, i, 1);
    const at::Tensor error = (column - settled).div_(factor[i][i].item<double>());
    column.copy_(settled);
    if (i + 1 < inputs) left.narrow(1, i + 1, inputs - i - 1).addr_(error.view({-1}), factor[i].narrow(0, i + 1, inputs - i - 1), 1, -1);
  }
  at::Tensor result = at::empty_like(weight);
  result.index_copy_(1, order, left);
  return result;
}

}  // namespace lathe::evaluators::internal
