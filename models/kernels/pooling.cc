// Pooling over one to three spatial axes. LibTorch's own padding and rounding are used where they mean the same; else the input is
// padded here so that the last window of ONNX's output just fits.
#include <ATen/ops/amax.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/avg_pool3d.h>
#include <ATen/ops/clamp_min.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/max_pool3d.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/ones.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/kernels/kernel.h"
#include "models/operators.h"

namespace lathe::models::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

// One spatial axis is pooled as two, the first of extent 1.
PoolAttributes with_two_axes(PoolAttributes a) {
  if (a.kernel.size() != 1) return a;
  a.kernel = {1, a.kernel[0]};
  a.strides = {1, a.strides[0]};
  a.dilations = {1, a.dilations[0]};
  a.pads = {0, a.pads[0], 0, a.pads[1]};
  return a;
}

// Whether LibTorch pads alike: both ends equal, and no more than half a window.
bool is_plain(const PoolAttributes& a) {
  const std::size_t axes = a.kernel.size();
  for (std::size_t i = 0; i < axes; ++i) {
    if (a.pads[i] != a.pads[axes + i] || a.pads[i] > a.kernel[i] / 2) return false;
  }
  return !a.ceil_mode;
}

// The padding of each axis, begins and ends, last axis first, that lets the windows of ONNX's output fit exactly or with a rest.
Ints full_padding(const PoolAttributes& a, at::IntArrayRef extents) {
  const std::size_t axes = a.kernel.size();
  Ints amounts;
  for (std::size_t i = axes; i-- > 0;) {
    const std::int64_t extent = extents[extents.size() - axes + i], window = (a.kernel[i] - 1) * a.dilations[i] + 1;
    const std::int64_t begin = a.pads[i], end = a.pads[axes + i];
    const std::int64_t rest = extent + begin + end - window;
    const std::int64_t steps = a.ceil_mode ? (rest + a.strides[i] - 1) / a.strides[i] : rest / a.strides[i];
    amounts.push_back(begin);
    amounts.push_back(std::max(end, steps * a.strides[i] + window - extent - begin));
  }
  return amounts;
}

at::Tensor max_pool(const at::Tensor& x, const PoolAttributes& a, const Ints& padding) {
  if (a.kernel.size() == 2) return at::max_pool2d(x, a.kernel, a.strides, padding, a.dilations);
  return at::max_pool3d(x, a.kernel, a.strides, padding, a.dilations);
}

// Sum over each window.
at::Tensor sum_pool(const at::Tensor& x, const PoolAttributes& a) {
  const Ints none(a.kernel.size(), 0);
  if (a.kernel.size() == 2) return at::avg_pool2d(x, a.kernel, a.strides, none, false, true, 1);
  return at::avg_pool3d(x, a.kernel, a.strides, none, false, true, 1);
}

Kernel maximum(const Network& network, const Node& node) {
  if (node.outputs.size() > 1 && node.outputs[1] != kNoValue) throw_unsupported(node, "the indices as second output");
  const PoolAttributes declared = pool_attributes(network, node);
  const PoolAttributes a = with_two_axes(declared);
  const bool is_one_dimensional = declared.kernel.size() == 1, plain = is_plain(a);
  const Ints none(a.kernel.size(), 0), begins(a.pads.begin(), a.pads.begin() + static_cast<std::ptrdiff_t>(a.kernel.size()));
  return [=](const Tensors& inputs, const RunOptions&) {
    // Integers of 8 bits are pooled as floats, which hold them exactly.
    at::Tensor x = inputs[0].is_floating_point() ? inputs[0] : inputs[0].to(at::kFloat);
    if (is_one_dimensional) x = x.unsqueeze(-2);
    if (!plain) x = at::constant_pad_nd(x, full_padding(a, x.sizes()), std::numeric_limits<float>::lowest());
    at::Tensor y = max_pool(x, a, plain ? begins : none);
    if (is_one_dimensional) y = y.squeeze(-2);
    return Tensors{y.to(inputs[0].scalar_type())};
  };
}

Kernel average(const Network& network, const Node& node) {
  const PoolAttributes declared = pool_attributes(network, node);
  const PoolAttributes a = with_two_axes(declared);
  const bool is_one_dimensional = declared.kernel.size() == 1, plain = is_plain(a);
  const Ints begins(a.pads.begin(), a.pads.begin() + static_cast<std::ptrdiff_t>(a.kernel.size()));
  return [=](const Tensors& inputs, const RunOptions&) {
    const at::Tensor x = is_one_dimensional ? inputs[0].unsqueeze(-2) : inputs[0];
    at::Tensor y;
    if (plain) {
      y = a.kernel.size() == 2 ? at::avg_pool2d(x, a.kernel, a.strides, begins, false, a.count_include_pad)
                               : at::avg_pool3d(x, a.kernel, a.strides, begins, false, a.count_include_pad);
    } else {
      // With padding counted every window has its full size, also where rounding up lets it reach beyond the padding (as ONNX Runtime
      // does); else the divisor is the number of input elements under the window.
      const Ints padding = full_padding(a, x.sizes());
      const at::Tensor sums = sum_pool(at::constant_pad_nd(x, padding, 0), a);
      if (a.count_include_pad) {
        y = sums / static_cast<double>(element_count(a.kernel));
      } else {
        Ints extents(x.sizes().begin(), x.sizes().end());
        extents[0] = extents[1] = 1;
        const at::Tensor counts = sum_pool(at::constant_pad_nd(at::ones(extents, x.options()), padding, 0), a);
        y = sums / at::clamp_min(counts, 1);
      }
    }
    return Tensors{is_one_dimensional ? y.squeeze(-2) : y};
  };
}

// (sum |x|^p)^(1/p)
Kernel lp(const Network& network, const Node& node) {
  const PoolAttributes declared = pool_attributes(network, node);
  const PoolAttributes a = with_two_axes(declared);
  const bool is_one_dimensional = declared.kernel.size() == 1;
  const auto p = static_cast<double>(int_attribute(node, "p", 2));
  return [=](const Tensors& inputs, const RunOptions&) {
    at::Tensor x = is_one_dimensional ? inputs[0].unsqueeze(-2) : inputs[0];
    x = at::constant_pad_nd(x.abs().pow(p), full_padding(a, x.sizes()), 0);
    const at::Tensor y = sum_pool(x, a).pow(1 / p);
    return Tensors{is_one_dimensional ? y.squeeze(-2) : y};
  };
}

Ints spatial_axes(const at::Tensor& x) {
  Ints axes;
  for (std::int64_t i = 2; i < x.dim(); ++i) axes.push_back(i);
  return axes;
}

Kernel global_average(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) { return Tensors{at::mean(inputs[0], spatial_axes(inputs[0]), /*keepdim=*/true)}; };
}

Kernel global_maximum(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) { return Tensors{at::amax(inputs[0], spatial_axes(inputs[0]), /*keepdim=*/true)}; };
}

}  // namespace

const Table& pooling_table() {
  static const Table table{{"AveragePool", average},
                           {"GlobalAveragePool", global_average},
                           {"GlobalMaxPool", global_maximum},
                           {"LpPool", lp},
                           {"MaxPool", maximum}};
  return table;
}

}  // namespace lathe::models::kernels
