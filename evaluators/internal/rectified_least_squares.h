// Least squares for a layer whose output a relu follows: what is wanted is the output where the relu lets it through, and elsewhere only
// that it be stopped. Source: X. Zhang, J. Zou, K. He, J. Sun, Accelerating Very Deep Convolutional Networks for Classification and
// Detection, TPAMI 2016, section 3.2, nonlinear responses, for any linear layer, not one of low rank. With samples x of the layer's input,
// t of what it should give, the relu taking g (t + o), and W what the layer starts from:
//
//   minimize over W', b'   E|t - W' x - b'|^2 over outputs that are let through, g (t + o) > 0
//                        + E max(0, g/|g| (W' x + b' + o))^2 over the others
//                        + lambda |W' - W|^2                       lambda: a share of the mean variance of x
//
// which is convex and no less than the squared error behind the relu (over g^2). Departure from the paper: this bound in place of its
// auxiliary variables with a penalty. It is minimized by least squares again and again to targets that are t, and for stopped outputs what
// the layer gives now, cut off where the relu does: no step makes it larger, and all share one factorization.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace lathe::evaluators::internal {

// On one device, float.
struct WantedOutput {
  at::Tensor output;        // t, [samples, outputs]
  at::Tensor gain, offset;  // g, [outputs], and o, [outputs] or [samples, outputs]; o undefined: no relu follows, plain least squares
};

struct LeastSquaresOptions {
  at::Tensor weight;    // W, [outputs, inputs], double
  double ridge = 1e-3;  // lambda as a share of the mean variance of an input
  bool has_bias = true;
  int relu_steps = 0;  // least squares after the first one
};

struct Affine {
  at::Tensor weight, bias;  // [outputs, inputs], [outputs] (zero without a bias), double
};

// x: [samples, inputs], float, on the device of what is wanted; the result lies on the CPU. Nothing where x is not finite or all zero.
std::optional<Affine> rectified_least_squares(const at::Tensor& x, const WantedOutput& wanted, const LeastSquaresOptions& options);

}  // namespace lathe::evaluators::internal
