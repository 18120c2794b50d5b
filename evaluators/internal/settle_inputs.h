// The step that Optimal Brain Compression, GPTQ and SparseGPT are made of: weights of a layer y = W x go to their final values (integers,
// zeros) one input at a time, and what that changes of the output, the inputs that follow make up for by least squares. With H = E[x x^T] +
// lambda I and U the upper Cholesky factor of H^-1 (H^-1 = U^T U), in the order given:
//
//   e = (w_i - final(w_i)) / U_ii        w_j -= e U_ij for j > i
//
// (E. Frantar et al., GPTQ, ICLR 2023, section 3.) U_ii^2 is the inverse of H over the inputs not settled yet at i, so (w_i - final)^2 /
// U_ii^2 is what settling i costs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>

namespace lathe::evaluators::internal {

// What a rule may look at: all of it in the order of settling.
struct UnsettledInputs {
  std::int64_t next;         // the input to be settled
  const at::Tensor& weight;  // [outputs, inputs], double; from `next` on what the inputs have to be, given those before
  const at::Tensor& factor;  // U
};

// weight: [outputs, inputs], double. moments: H without lambda, [inputs, inputs], double; damping: lambda as a share of the mean H_ii.
// order: the inputs, [inputs], int64. rule: the final values of input `next`, [outputs, 1]. Returns the final weight; undefined where H +
// lambda I cannot be factorized (inputs that are not finite).
at::Tensor settle_inputs(const at::Tensor& weight, const at::Tensor& moments, const at::Tensor& order, double damping,
                         const std::function<at::Tensor(const UnsettledInputs&)>& rule);

}  // namespace lathe::evaluators::internal
