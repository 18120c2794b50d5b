// Convolutions of one to three spatial axes. LibTorch pads both ends of an axis alike; ONNX need not.
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/convolution.h>

#include <algorithm>

#include "models/kernels/kernel.h"
#include "models/operators.h"

namespace lathe::models::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

bool is_symmetric(const Ints& pads) {
  return std::equal(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(pads.size() / 2),
                    pads.begin() + static_cast<std::ptrdiff_t>(pads.size() / 2));
}

// Amounts in LibTorch's order: last axis first, begin and end of each.
Ints padding_from_last_axis(const Ints& begins, const Ints& ends) {
  Ints amounts;
  for (std::size_t i = begins.size(); i-- > 0;) {
    amounts.push_back(begins[i]);
    amounts.push_back(ends[i]);
  }
  return amounts;
}

Kernel convolution(const Network& network, const Node& node) {
  const ConvAttributes a = conv_attributes(network, node);
  const std::size_t axes = a.kernel.size();
  const Ints begins(a.pads.begin(), a.pads.begin() + static_cast<std::ptrdiff_t>(axes)),
      ends(a.pads.begin() + static_cast<std::ptrdiff_t>(axes), a.pads.end());
  const bool is_even = is_symmetric(a.pads);
  const Ints outer = is_even ? Ints() : padding_from_last_axis(begins, ends);
  const Ints inner = is_even ? begins : Ints(axes, 0);
  return [=, no_output_padding = Ints(axes, 0)](const Tensors& inputs, const RunOptions&) {
    const at::Tensor x = outer.empty() ? inputs[0] : at::constant_pad_nd(inputs[0], outer, 0);
    const Optional<at::Tensor> bias = optional_input(inputs, 2);
    return Tensors{at::convolution(x, inputs[1], bias, a.strides, inner, a.dilations, /*transposed=*/false, no_output_padding, a.group)};
  };
}

// LibTorch wants output padding below the stride or the dilation.
bool is_plain_transposed(const ConvAttributes& a) {
  for (std::size_t i = 0; i < a.kernel.size(); ++i) {
    if (a.output_padding[i] >= std::max(a.strides[i], a.dilations[i])) return false;
  }
  return is_symmetric(a.pads);
}

Kernel transposed_convolution(const Network& network, const Node& node) {
  const ConvAttributes a = conv_attributes(network, node);
  const std::size_t axes = a.kernel.size();
  const Ints begins(a.pads.begin(), a.pads.begin() + static_cast<std::ptrdiff_t>(axes)),
      ends(a.pads.begin() + static_cast<std::ptrdiff_t>(axes), a.pads.end());
  if (is_plain_transposed(a)) {
    return [=](const Tensors& inputs, const RunOptions&) {
      const Optional<at::Tensor> bias = optional_input(inputs, 2);
      return Tensors{
          at::convolution(inputs[0], inputs[1], bias, a.strides, begins, a.dilations, /*transposed=*/true, a.output_padding, a.group)};
    };
  }
  // The whole result, cut by the pads at each end and lengthened by the output padding; the bias then covers all of it.
  Ints cut_begins, cut_ends;
  for (std::size_t i = 0; i < axes; ++i) {
    cut_begins.push_back(-begins[i]);
    cut_ends.push_back(a.output_padding[i] - ends[i]);
  }
  return [=, amounts = padding_from_last_axis(cut_begins, cut_ends), zeros = Ints(axes, 0)](const Tensors& inputs, const RunOptions&) {
    at::Tensor y = at::convolution(inputs[0], inputs[1], {}, a.strides, zeros, a.dilations, /*transposed=*/true, zeros, a.group);
    y = at::constant_pad_nd(y, amounts, 0);
    if (!has_input(inputs, 2)) return Tensors{y};
    Ints by_channel(axes + 2, 1);
    by_channel[1] = -1;
    return Tensors{y + inputs[2].reshape(by_channel)};
  };
}

}  // namespace

const Table& convolution_table() {
  static const Table table{{"Conv", convolution}, {"ConvTranspose", transposed_convolution}};
  return table;
}

}  // namespace lathe::models::kernels
