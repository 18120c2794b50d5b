#include "evaluators/internal/rectified_least_squares.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "models/base/rng.h"

namespace lathe::evaluators::internal {
namespace {

at::Tensor normal(const char* name, std::int64_t rows, std::int64_t columns) {
  Rng rng(5, name);
  at::Tensor values = at::zeros({rows, columns});
  for (std::int64_t i = 0; i < values.numel(); ++i) values.data_ptr<float>()[i] = static_cast<float>(rng.normal());
  return values;
}

// What the header says is minimized, without lambda.
double bound(const at::Tensor& x, const WantedOutput& wanted, const Affine& layer) {
  const at::Tensor given = at::mm(x.to(at::kDouble), layer.weight.t()) + layer.bias, sign = wanted.gain.sign();
  const at::Tensor is_let_through = (wanted.output + wanted.offset) * sign > 0;
  const at::Tensor missed = (given - wanted.output).square(), slipped = ((given + wanted.offset) * sign).clamp_min(0).square();
  return (missed * is_let_through + slipped * is_let_through.logical_not()).mean().item<double>();
}

WantedOutput three_outputs(const at::Tensor& x) {
  const at::Tensor noise = normal("noise", x.size(0), 3);
  return {.output = at::mm(x, normal("weight", x.size(1), 3)) + 2 * noise,
          .gain = at::tensor({1.5F, -0.5F, 1.0F}),
          .offset = at::tensor({0.3F, 0.0F, -0.4F})};
}

TEST(RectifiedLeastSquares, EachStepLowersTheBound) {
  const at::Tensor x = normal("x", 400, 5);
  const WantedOutput wanted = three_outputs(x);
  double last = HUGE_VAL;
  for (const int steps : {0, 1, 2, 4, 8}) {
    const auto solved = rectified_least_squares(x, wanted, {.weight = at::zeros({3, 5}, at::kDouble), .ridge = 0, .relu_steps = steps});
    ASSERT_TRUE(solved.has_value());
    const double now = bound(x, wanted, *solved);
    EXPECT_LT(now, last) << steps;
    last = now;
  }
}

// At the minimum of a convex differentiable function no small change of a weight or a bias gains anything.
TEST(RectifiedLeastSquares, ComesToTheMinimum) {
  const at::Tensor x = normal("x", 400, 5);
  const WantedOutput wanted = three_outputs(x);
  const auto solved = rectified_least_squares(x, wanted, {.weight = at::zeros({3, 5}, at::kDouble), .ridge = 0, .relu_steps = 200});
  const double least = bound(x, wanted, *solved);
  constexpr double kStep = 1e-3;
  for (std::int64_t output = 0; output < 3; ++output) {
    for (std::int64_t input = 0; input <= 5; ++input) {
      for (const double change : {-kStep, kStep}) {
        Affine other{solved->weight.clone(), solved->bias.clone()};
        (input < 5 ? other.weight[output][input] : other.bias[output]).add_(change);
        EXPECT_GT(bound(x, wanted, other), least) << output << ", " << input;
      }
    }
  }
}

// A layer behind which all is let through is plain least squares: y = W x + b is found.
TEST(RectifiedLeastSquares, WithoutAReluIsLeastSquares) {
  const at::Tensor x = normal("x", 400, 5), weight = normal("weight", 3, 5);
  const WantedOutput wanted{.output = at::mm(x, weight.t()) + 0.7};
  const auto solved = rectified_least_squares(x, wanted, {.weight = at::zeros({3, 5}, at::kDouble), .ridge = 1e-12, .relu_steps = 3});
  EXPECT_LT((solved->weight - weight).abs().max().item<double>(), 1e-4);
  EXPECT_LT((solved->bias - 0.7).abs().max().item<double>(), 1e-4);
}

TEST(RectifiedLeastSquares, GivesUpOnInputsThatAreAllZero) {
  const WantedOutput wanted{.output = at::zeros({10, 2})};
  EXPECT_FALSE(rectified_least_squares(at::zeros({10, 3}), wanted, {.weight = at::zeros({2, 3}, at::kDouble)}).has_value());
}

}  // namespace
}  // namespace lathe::evaluators::internal
