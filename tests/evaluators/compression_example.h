// Two outputs of four inputs, and what these are on six rows: the example on which Optimal Brain Compression was worked out in numpy for
// the tests of GPTQ and of SparseGPT.
#pragma once

#include <ATen/ops/tensor.h>

#include <cstdint>
#include <vector>

namespace lathe::evaluators {

inline at::Tensor matrix(const std::vector<double>& values, std::int64_t columns) {
  return at::tensor(values, at::kDouble).view({-1, columns});
}

inline at::Tensor example_weight() {
  return matrix({0.44, -0.31, 0.62, 0.13, -0.41, 0.58, 0.36, -0.6}, 4);
}

inline at::Tensor example_moments() {  // X^T X / 6 of the six rows
  return matrix({1.2966666666666666, 0.7916666666666666, 0.05666666666666667, 0.07833333333333332, 0.7916666666666666, 0.5583333333333335,
                 0.026666666666666682, 0.105, 0.05666666666666667, 0.026666666666666682, 0.645, 0.14833333333333334, 0.07833333333333332,
                 0.105, 0.14833333333333334, 0.22666666666666668},
                4);
}

}  // namespace lathe::evaluators
