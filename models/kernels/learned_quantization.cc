#include "models/kernels/learned_quantization.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/div.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/round.h>
#include <torch/csrc/autograd/custom_function.h>

#include "models/kernels/kernel.h"

namespace lathe::models::kernels {

at::Tensor along_axis(const at::Tensor& parameter, const at::Tensor& x, std::int64_t axis) {
  if (parameter.numel() == 1) return parameter.reshape({});
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[static_cast<std::size_t>(positive_axis(axis, x.dim()))] = -1;
  return parameter.reshape(shape);
}

namespace {

// The integer that stands for zero: -b / s, between the bounds.
at::Tensor zero_point_of(const at::Tensor& scale, const at::Tensor& offset, const LearnedQuantization& options) {
  return at::div(offset, scale).neg_().round_().clamp_(options.low, options.high).reshape({});
}

class LearnedFakeQuantize : public torch::autograd::Function<LearnedFakeQuantize> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& scale,
                            const Optional<at::Tensor>& offset, const LearnedQuantization& options) {
    const at::Tensor step = along_axis(scale, x, options.axis);
    at::Tensor y = at::mul(x, at::reciprocal(step)).round_();
    at::Tensor zero_point;
    if (offset) {
      zero_point = zero_point_of(scale, *offset, options);
      y.clamp_(Optional<at::Tensor>(options.low - zero_point), Optional<at::Tensor>(options.high - zero_point));
    } else {
      y.clamp_(options.low, options.high);
    }
    y.mul_(step);
    context->save_for_backward({x, scale, zero_point, y});
    context->saved_data["is_pact"] = options.rule == ScaleGradient::kPact;
    context->saved_data["low"] = options.low;
    context->saved_data["high"] = options.high;
    context->saved_data["gradient_scale"] = options.gradient_scale;
    context->saved_data["axis"] = options.axis;
    return y;
  }

  // With I = 1 inside the bounds, else 0: where I = 1, s dy/ds is y - x (LSQ) or 0 (PACT); elsewhere it is y, or y - b where b is learned.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &scale = saved[1], &zero_point = saved[2], &y = saved[3], &gradient = gradients[0];
    const double low = context->saved_data["low"].toDouble(), high = context->saved_data["high"].toDouble();
    const double gradient_scale = context->saved_data["gradient_scale"].toDouble();
    const std::int64_t axis = context->saved_data["axis"].toInt();
    const at::Tensor step = along_axis(scale, x, axis);
    const bool has_offset = zero_point.defined();
    const at::Tensor least = has_offset ? step * (low - zero_point) : step * low;
    const at::Tensor largest = has_offset ? step * (high - zero_point) : step * high;
    const at::Tensor of_x = gradient * x.gt(least).logical_and_(x.lt(largest));
    at::Tensor of_scale =
        context->saved_data["is_pact"].toBool() ? (gradient - of_x).mul_(y) : at::mul(gradient, y).addcmul_(of_x, x, /*value=*/-1);
    std::vector<std::int64_t> summed;
    for (std::int64_t i = 0; i < x.dim(); ++i) {
      if (i != axis) summed.push_back(i);
    }
    if (!summed.empty()) of_scale = of_scale.sum(summed);
    of_scale = of_scale.reshape(scale.sizes());
    at::Tensor of_offset;
    if (has_offset) {
      of_offset = (gradient.sum() - of_x.sum()).reshape(scale.sizes());
      of_scale = of_scale + zero_point * scale * of_offset;  // b = -zero_point s
      of_offset = of_offset.mul(gradient_scale);
    }
    return {of_x, of_scale.div(scale).mul(gradient_scale), of_offset, at::Tensor()};
  }
};

}  // namespace

at::Tensor learned_fake_quantize(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& offset,
                                 const LearnedQuantization& options) {
  return LearnedFakeQuantize::apply(x, scale, offset.defined() ? Optional<at::Tensor>(offset) : Optional<at::Tensor>(), options);
}

}  // namespace lathe::models::kernels
