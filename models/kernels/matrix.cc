// Matrix products.
#include <ATen/ops/addmm.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>

#include <algorithm>

#include "models/kernels/kernel.h"
#include "models/operators.h"

namespace lathe::models::kernels {
namespace {

Kernel gemm(const Network&, const Node& node) {
  const GemmAttributes g = gemm_attributes(node);
  return [g](const Tensors& inputs, const RunOptions&) {
    const at::Tensor a = g.transpose_a ? inputs[0].t() : inputs[0], b = g.transpose_b ? inputs[1].t() : inputs[1];
    if (has_input(inputs, 2)) return Tensors{at::addmm(inputs[2], a, b, g.beta, g.alpha)};
    const at::Tensor y = at::mm(a, b);
    return Tensors{g.alpha == 1 ? y : y * g.alpha};
  };
}

Kernel matmul(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) { return Tensors{at::matmul(inputs[0], inputs[1])}; };
}

Kernel einsum(const Network&, const Node& node) {
  std::string equation = string_attribute(node, "equation", "");
  equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
  return [equation](const Tensors& inputs, const RunOptions&) { return Tensors{at::einsum(equation, inputs)}; };
}

}  // namespace

const Table& matrix_table() {
  static const Table table{{"Einsum", einsum}, {"Gemm", gemm}, {"MatMul", matmul}};
  return table;
}

}  // namespace lathe::models::kernels
