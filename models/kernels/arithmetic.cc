// Elementwise arithmetic, comparisons, logic and type conversion; all broadcast as numpy does, which is LibTorch's rule too.
#include <ATen/ops/abs.h>
#include <ATen/ops/acos.h>
#include <ATen/ops/acosh.h>
#include <ATen/ops/add.h>
#include <ATen/ops/asin.h>
#include <ATen/ops/asinh.h>
#include <ATen/ops/atan.h>
#include <ATen/ops/atanh.h>
#include <ATen/ops/ceil.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/cosh.h>
#include <ATen/ops/div.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/erf.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/floor.h>
#include <ATen/ops/fmod.h>
#include <ATen/ops/ge.h>
#include <ATen/ops/gt.h>
#include <ATen/ops/isinf.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/le.h>
#include <ATen/ops/log.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/logical_not.h>
#include <ATen/ops/logical_or.h>
#include <ATen/ops/logical_xor.h>
#include <ATen/ops/lt.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/neg.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/reciprocal.h>
#include <ATen/ops/remainder.h>
#include <ATen/ops/round.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/sinh.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/sub.h>
#include <ATen/ops/tan.h>
#include <ATen/ops/where.h>

#include <cmath>

#include "models/internal/torch_types.h"
#include "models/kernels/kernel.h"

namespace lathe::models::kernels {
namespace {

template <at::Tensor (*function)(const at::Tensor&)>
Kernel unary(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) { return Tensors{function(inputs[0])}; };
}

template <at::Tensor (*function)(const at::Tensor&, const at::Tensor&)>
Kernel binary(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) { return Tensors{function(inputs[0], inputs[1])}; };
}

// One or more operands, combined from the left.
template <at::Tensor (*function)(const at::Tensor&, const at::Tensor&)>
Kernel variadic(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) {
    at::Tensor result = inputs[0];
    for (std::size_t i = 1; i < inputs.size(); ++i) result = function(result, inputs[i]);
    return Tensors{result};
  };
}

at::Tensor add(const at::Tensor& a, const at::Tensor& b) {
  return at::add(a, b);
}
at::Tensor subtract(const at::Tensor& a, const at::Tensor& b) {
  return at::sub(a, b);
}

// Integer division truncates.
at::Tensor divide(const at::Tensor& a, const at::Tensor& b) {
  return a.is_floating_point() ? at::div(a, b) : at::div(a, b, "trunc");
}

at::Tensor round_half_even(const at::Tensor& x) {
  return at::round(x);
}

Kernel mean(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) {
    at::Tensor sum = inputs[0];
    for (std::size_t i = 1; i < inputs.size(); ++i) sum = at::add(sum, inputs[i]);
    return Tensors{at::div(sum, static_cast<double>(inputs.size()))};
  };
}

Kernel modulo(const Network&, const Node& node) {
  // fmod 1: sign of the dividend, as C; else sign of the divisor, as Python.
  const bool is_c_style = int_attribute(node, "fmod", 0) != 0;
  return [is_c_style](const Tensors& inputs, const RunOptions&) {
    return Tensors{is_c_style ? at::fmod(inputs[0], inputs[1]) : at::remainder(inputs[0], inputs[1])};
  };
}

// The result has the type of the base. A constant exponent of one element (a square, a root) has much faster code.
Kernel power(const Network& network, const Node& node) {
  const auto found = network.constants.find(node.inputs[1]);
  if (found != network.constants.end() && found->second.size() == 1 && found->second.rank() == 0) {
    const double exponent = found->second.to_floats()[0];
    if (exponent == std::floor(exponent) && std::abs(exponent) < 64) {
      const auto whole = static_cast<std::int64_t>(exponent);
      return [whole](const Tensors& inputs, const RunOptions&) { return Tensors{at::pow(inputs[0], whole).to(inputs[0].scalar_type())}; };
    }
  }
  return [](const Tensors& inputs, const RunOptions&) { return Tensors{at::pow(inputs[0], inputs[1]).to(inputs[0].scalar_type())}; };
}

Kernel is_infinite(const Network&, const Node& node) {
  const bool positive = int_attribute(node, "detect_positive", 1) != 0, negative = int_attribute(node, "detect_negative", 1) != 0;
  return [=](const Tensors& inputs, const RunOptions&) {
    at::Tensor found = at::isinf(inputs[0]);
    if (!positive) found = at::logical_and(found, at::lt(inputs[0], 0));
    if (!negative) found = at::logical_and(found, at::gt(inputs[0], 0));
    return Tensors{found};
  };
}

Kernel cast(const Network& network, const Node& node) {
  const DataType to = network.value(node.outputs[0]).type;
  return [to](const Tensors& inputs, const RunOptions&) {
    at::Tensor x = inputs[0];
    if (to == DataType::kBool) return Tensors{at::logical_not(at::eq(x, 0))};
    // Half-width floats are computed in float32, but rounded to what they can hold.
    if (to == DataType::kFloat16) x = x.to(at::kHalf);
    if (to == DataType::kBFloat16) x = x.to(at::kBFloat16);
    return Tensors{x.to(internal::execution_type(to))};
  };
}

Kernel select(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) { return Tensors{at::where(inputs[0].to(at::kBool), inputs[1], inputs[2])}; };
}

}  // namespace

const Table& arithmetic_table() {
  static const Table table{{"Abs", unary<at::abs>},
                           {"Acos", unary<at::acos>},
                           {"Acosh", unary<at::acosh>},
                           {"Add", binary<add>},
                           {"And", binary<at::logical_and>},
                           {"Asin", unary<at::asin>},
                           {"Asinh", unary<at::asinh>},
                           {"Atan", unary<at::atan>},
                           {"Atanh", unary<at::atanh>},
                           {"Cast", cast},
                           {"Ceil", unary<at::ceil>},
                           {"Cos", unary<at::cos>},
                           {"Cosh", unary<at::cosh>},
                           {"Div", binary<divide>},
                           {"Equal", binary<at::eq>},
                           {"Erf", unary<at::erf>},
                           {"Exp", unary<at::exp>},
                           {"Floor", unary<at::floor>},
                           {"Greater", binary<at::gt>},
                           {"GreaterOrEqual", binary<at::ge>},
                           {"IsInf", is_infinite},
                           {"IsNaN", unary<at::isnan>},
                           {"Less", binary<at::lt>},
                           {"LessOrEqual", binary<at::le>},
                           {"Log", unary<at::log>},
                           {"Max", variadic<at::maximum>},
                           {"Mean", mean},
                           {"Min", variadic<at::minimum>},
                           {"Mod", modulo},
                           {"Mul", binary<at::mul>},
                           {"Neg", unary<at::neg>},
                           {"Not", unary<at::logical_not>},
                           {"Or", binary<at::logical_or>},
                           {"Pow", power},
                           {"Reciprocal", unary<at::reciprocal>},
                           {"Round", unary<round_half_even>},
                           {"Sign", unary<at::sign>},
                           {"Sin", unary<at::sin>},
                           {"Sinh", unary<at::sinh>},
                           {"Sqrt", unary<at::sqrt>},
                           {"Sub", binary<subtract>},
                           {"Sum", variadic<add>},
                           {"Tan", unary<at::tan>},
                           {"Where", select},
                           {"Xor", binary<at::logical_xor>}};
  return table;
}

}  // namespace lathe::models::kernels
