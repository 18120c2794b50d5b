#include "models/kernels/learned_quantization.h"

#include <ATen/ops/clamp.h>
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

class LearnedFakeQuantize : public torch::autograd::Function<LearnedFakeQuantize> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& scale,
                            const LearnedQuantization& options) {
    context->save_for_backward({x, scale});
    context->saved_data["is_pact"] = options.rule == ScaleGradient::kPact;
    context->saved_data["low"] = options.low;
    context->saved_data["high"] = options.high;
    context->saved_data["gradient_scale"] = options.gradient_scale;
    context->saved_data["axis"] = options.axis;
    const at::Tensor step = along_axis(scale, x, options.axis);
    return at::mul(x, at::reciprocal(step)).round_().clamp_(options.low, options.high).mul_(step);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const at::Tensor &x = saved[0], &scale = saved[1], &gradient = gradients[0];
    const double low = context->saved_data["low"].toDouble(), high = context->saved_data["high"].toDouble();
    const at::Tensor v = at::mul(x, at::reciprocal(along_axis(scale, x, context->saved_data["axis"].toInt())));
    const at::Tensor inside = v.gt(low).logical_and_(v.lt(high));
    const at::Tensor of_x = gradient * inside;
    // clamp(round(v)) is round(v) inside and the bound outside; LSQ takes v off inside, PACT all of it.
    at::Tensor of_scale = at::round(v).clamp_(low, high);
    of_scale = context->saved_data["is_pact"].toBool() ? of_scale.mul_(inside.logical_not()) : of_scale.sub_(v * inside);
    of_scale = of_scale.mul_(gradient);
    const std::int64_t axis = context->saved_data["axis"].toInt();
    std::vector<std::int64_t> summed;
    for (std::int64_t i = 0; i < x.dim(); ++i) {
      if (i != axis) summed.push_back(i);
    }
    of_scale = summed.empty() ? of_scale : of_scale.sum(summed);
    return {of_x, of_scale.mul(context->saved_data["gradient_scale"].toDouble()).reshape(scale.sizes()), at::Tensor()};
  }
};

}  // namespace

at::Tensor learned_fake_quantize(const at::Tensor& x, const at::Tensor& scale, const LearnedQuantization& options) {
  return LearnedFakeQuantize::apply(x, scale, options);
}

}  // namespace lathe::models::kernels
