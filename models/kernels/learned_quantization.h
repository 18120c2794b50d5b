// FakeQuantize whose scale is trained together with the weights.
//
// LSQ (S. K. Esser et al., Learned Step Size Quantization, ICLR 2020, section 2): with v = x / s, Qn = low and Qp = high,
//   y = round(clamp(v, Qn, Qp)) s
//   dy/ds = round(v) - v  for Qn < v < Qp,  Qn for v <= Qn,  Qp for v >= Qp      (eq. 3)
//   dy/dx = 1             for Qn < v < Qp,  else 0                              (eq. 5)
// PACT (J. Choi et al., 2018, section 3) learns the clipping value alpha = Qp s and takes the rounding for the identity in both gradients:
//   dy/ds = 0             for Qn < v < Qp,  Qn for v <= Qn,  Qp for v >= Qp     (its eq. 3, divided by Qp)
// Either gradient of s is multiplied by a constant before it leaves (LSQ, section 2.2).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lathe::models::kernels {

enum class ScaleGradient { kLsq, kPact };

struct LearnedQuantization {
  ScaleGradient rule = ScaleGradient::kLsq;
  double low = 0, high = 255;  // quant_min and quant_max less the zero point
  double gradient_scale = 1;   // the constant
  std::int64_t axis = -1;      // of x along which `scale` lies; -1 = one scale
};

// A scale or zero point of one element, or of one for each index of the axis, shaped to broadcast along that axis of x.
at::Tensor along_axis(const at::Tensor& parameter, const at::Tensor& x, std::int64_t axis);

// scale: positive, one element, or one for each index of the axis. Differentiable in x and scale.
at::Tensor learned_fake_quantize(const at::Tensor& x, const at::Tensor& scale, const LearnedQuantization& options);

}  // namespace lathe::models::kernels
