// FakeQuantize whose scale, and offset, are trained together with the weights.
//
// LSQ (S. K. Esser et al., Learned Step Size Quantization, ICLR 2020, section 2): with v = x / s, Qn = low and Qp = high,
//   y = round(clamp(v, Qn, Qp)) s
//   dy/ds = round(v) - v  for Qn < v < Qp,  Qn for v <= Qn,  Qp for v >= Qp      (eq. 3)
//   dy/dx = 1             for Qn < v < Qp,  else 0                              (eq. 5)
// PACT (J. Choi et al., 2018, section 3) learns the clipping value alpha = Qp s and takes the rounding for the identity in both gradients:
//   dy/ds = 0             for Qn < v < Qp,  Qn for v <= Qn,  Qp for v >= Qp     (its eq. 3, divided by Qp)
// LSQ+ (Y. Bhalgat et al., LSQ+: Improving low-bit quantization through learnable offsets and better initialization, 2020, section 3.1)
// learns an offset b beside the scale: with v = (x - b) / s,
//   y = round(clamp(v, n, p)) s + b
//   dy/ds as LSQ's with n and p for Qn and Qp;  dy/db = 0 for n < v < p, else 1;  dy/dx = 1 for n < v < p, else 0
// Departure: b is rounded to the nearest multiple of s that keeps 0 between n and p, straight through, so that 0 stays exact (padding needs
// it) and -b / s is the integer zero point that is delivered.
// Either gradient of s, and that of b, is multiplied by a constant before it leaves (LSQ, section 2.2).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace lathe::models::kernels {

enum class ScaleGradient { kLsq, kPact };

struct LearnedQuantization {
  ScaleGradient rule = ScaleGradient::kLsq;  // also of LSQ+
  double low = 0, high = 255;  // quant_min and quant_max, less the zero point where no offset is learned
  double gradient_scale = 1;   // the constant
  std::int64_t axis = -1;      // of x along which `scale` lies; -1 = one scale
};

// A scale or zero point of one element, or of one for each index of the axis, shaped to broadcast along that axis of x.
at::Tensor along_axis(const at::Tensor& parameter, const at::Tensor& x, std::int64_t axis);

// scale: positive, one element, or one for each index of the axis; offset: undefined (LSQ, PACT), or one element beside a scale of one
// (LSQ+). Differentiable in x, scale and offset.
at::Tensor learned_fake_quantize(const at::Tensor& x, const at::Tensor& scale, const at::Tensor& offset,
                                 const LearnedQuantization& options);

}  // namespace lathe::models::kernels
