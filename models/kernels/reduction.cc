// Reductions along axes.
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/argmin.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/log.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/prod.h>
#include <ATen/ops/sum.h>

#include <algorithm>

#include "models/kernels/kernel.h"

namespace lathe::models::kernels {
namespace {

using Ints = std::vector<std::int64_t>;
using Reduce = at::Tensor (*)(const at::Tensor& x, const Ints& axes, bool keep);

at::Tensor sum(const at::Tensor& x, const Ints& axes, bool keep) {
  return at::sum(x, axes, keep, x.scalar_type());
}
at::Tensor mean(const at::Tensor& x, const Ints& axes, bool keep) {
  if (x.is_floating_point()) return at::mean(x, axes, keep);
  return at::mean(x.to(at::kDouble), axes, keep).to(x.scalar_type());
}
at::Tensor maximum(const at::Tensor& x, const Ints& axes, bool keep) {
  return at::amax(x, axes, keep);
}
at::Tensor minimum(const at::Tensor& x, const Ints& axes, bool keep) {
  return at::amin(x, axes, keep);
}
at::Tensor l1(const at::Tensor& x, const Ints& axes, bool keep) {
  return sum(at::abs(x), axes, keep);
}
// LibTorch's norm has a gradient at zero, the square root of a sum has none.
at::Tensor l2(const at::Tensor& x, const Ints& axes, bool keep) {
  if (x.is_floating_point()) return at::linalg_vector_norm(x, 2, axes, keep);
  return at::linalg_vector_norm(x.to(at::kDouble), 2, axes, keep).to(x.scalar_type());
}
at::Tensor sum_of_squares(const at::Tensor& x, const Ints& axes, bool keep) {
  return sum(at::mul(x, x), axes, keep);
}
at::Tensor log_sum(const at::Tensor& x, const Ints& axes, bool keep) {
  return at::log(at::sum(x, axes, keep));
}
at::Tensor log_sum_exp(const at::Tensor& x, const Ints& axes, bool keep) {
  return at::logsumexp(x, axes, keep);
}
at::Tensor product(const at::Tensor& x, const Ints& axes, bool keep) {
  at::Tensor y = x;
  for (const std::int64_t axis : axes) y = at::prod(y, axis, /*keepdim=*/true, x.scalar_type());
  if (keep) return y;
  Ints descending = axes;
  std::sort(descending.rbegin(), descending.rend());
  for (const std::int64_t axis : descending) y = y.squeeze(axis);
  return y;
}

// Axes are an attribute, or input 1 of ReduceSum; none means all unless noop_with_empty_axes.
template <Reduce reduce>
Kernel reduction(const Network& network, const Node& node) {
  const Ints attribute = ints_attribute(node, "axes", {});
  const IntegerOperand operand(network, node, 1);
  const bool keep = int_attribute(node, "keepdims", 1) != 0;
  const bool is_noop_without_axes = int_attribute(node, "noop_with_empty_axes", 0) != 0;
  return [=](const Tensors& inputs, const RunOptions&) {
    Ints axes = operand.is_given() ? operand.values(inputs) : attribute;
    if (axes.empty() && is_noop_without_axes) return Tensors{inputs[0]};
    const std::int64_t rank = inputs[0].dim();
    for (std::int64_t& axis : axes) axis = positive_axis(axis, rank);
    if (axes.empty()) {
      for (std::int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
    }
    if (axes.empty()) axes.push_back(0);  // a scalar has one axis to LibTorch
    return Tensors{reduce(inputs[0], axes, keep)};
  };
}

template <at::Tensor (*function)(const at::Tensor&, Optional<std::int64_t>, bool)>
Kernel arg(const Network&, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", 0);
  const bool keep = int_attribute(node, "keepdims", 1) != 0, wants_last = int_attribute(node, "select_last_index", 0) != 0;
  return [=](const Tensors& inputs, const RunOptions&) {
    if (!wants_last) return Tensors{function(inputs[0], axis, keep)};
    const std::int64_t last = inputs[0].size(axis) - 1;
    return Tensors{last - function(at::flip(inputs[0], {axis}), axis, keep)};
  };
}

Kernel cumulative_sum(const Network& network, const Node& node) {
  const IntegerOperand axis_operand(network, node, 1);
  const bool is_exclusive = int_attribute(node, "exclusive", 0) != 0, is_reverse = int_attribute(node, "reverse", 0) != 0;
  return [=](const Tensors& inputs, const RunOptions&) {
    const std::int64_t axis = axis_operand.values(inputs).at(0);
    const at::Tensor x = is_reverse ? at::flip(inputs[0], {axis}) : inputs[0];
    at::Tensor y = at::cumsum(x, axis, x.scalar_type());
    if (is_exclusive) y = y - x;
    return Tensors{is_reverse ? at::flip(y, {axis}) : y};
  };
}

}  // namespace

const Table& reduction_table() {
  static const Table table{{"ArgMax", arg<at::argmax>},
                           {"ArgMin", arg<at::argmin>},
                           {"CumSum", cumulative_sum},
                           {"ReduceL1", reduction<l1>},
                           {"ReduceL2", reduction<l2>},
                           {"ReduceLogSum", reduction<log_sum>},
                           {"ReduceLogSumExp", reduction<log_sum_exp>},
                           {"ReduceMax", reduction<maximum>},
                           {"ReduceMean", reduction<mean>},
                           {"ReduceMin", reduction<minimum>},
                           {"ReduceProd", reduction<product>},
                           {"ReduceSum", reduction<sum>},
                           {"ReduceSumSquare", reduction<sum_of_squares>}};
  return table;
}

}  // namespace lathe::models::kernels
