// Operators that move elements without computing: shapes, slices, padding.
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/full.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <numeric>

#include "models/executor.h"
#include "models/internal/torch_types.h"
#include "models/kernels/kernel.h"

namespace lathe::models::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

at::Tensor int64_tensor(const Ints& values, const at::Device& device) {
  return at::tensor(values, at::TensorOptions().dtype(at::kLong)).to(device);
}

Kernel identity(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) { return Tensors{inputs[0]}; };
}

Kernel reshape(const Network& network, const Node& node) {
  const IntegerOperand target(network, node, 1);
  const bool keeps_zero = int_attribute(node, "allowzero", 0) != 0;
  return [=](const Tensors& inputs, const RunOptions&) {
    Ints shape = target.values(inputs);
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (shape[i] == 0 && !keeps_zero) shape[i] = inputs[0].size(static_cast<std::int64_t>(i));
    }
    return Tensors{inputs[0].reshape(shape)};
  };
}

Kernel flatten(const Network&, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", 1);
  return [axis](const Tensors& inputs, const RunOptions&) {
    const auto sizes = inputs[0].sizes();
    const auto at = static_cast<std::size_t>(positive_axis(axis, inputs[0].dim()));
    const auto product = [](at::IntArrayRef part) {
      return std::accumulate(part.begin(), part.end(), std::int64_t{1}, std::multiplies<>());
    };
    return Tensors{inputs[0].reshape({product(sizes.slice(0, at)), product(sizes.slice(at))})};
  };
}

Kernel transpose(const Network&, const Node& node) {
  const Ints permutation = ints_attribute(node, "perm", {});
  return [permutation](const Tensors& inputs, const RunOptions&) {
    if (!permutation.empty()) return Tensors{inputs[0].permute(permutation)};
    Ints reversed(static_cast<std::size_t>(inputs[0].dim()));
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    return Tensors{inputs[0].permute(reversed)};
  };
}

Kernel squeeze(const Network& network, const Node& node) {
  const IntegerOperand operand(network, node, 1);
  return [operand](const Tensors& inputs, const RunOptions&) {
    at::Tensor x = inputs[0];
    Ints axes = operand.values(inputs);
    for (std::int64_t& axis : axes) axis = positive_axis(axis, x.dim());
    std::sort(axes.rbegin(), axes.rend());
    for (const std::int64_t axis : axes) x = x.squeeze(axis);
    return Tensors{x};
  };
}

Kernel unsqueeze(const Network& network, const Node& node) {
  const IntegerOperand operand(network, node, 1);
  return [operand](const Tensors& inputs, const RunOptions&) {
    at::Tensor x = inputs[0];
    Ints axes = operand.values(inputs);
    for (std::int64_t& axis : axes) axis = positive_axis(axis, x.dim() + static_cast<std::int64_t>(axes.size()));
    std::sort(axes.begin(), axes.end());
    for (const std::int64_t axis : axes) x = x.unsqueeze(axis);
    return Tensors{x};
  };
}

Kernel concat(const Network&, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", 0);
  return [axis](const Tensors& inputs, const RunOptions&) { return Tensors{at::cat(inputs, axis)}; };
}

Kernel split(const Network& network, const Node& node) {
  const IntegerOperand operand(network, node, 1);
  const std::int64_t axis = int_attribute(node, "axis", 0);
  const std::size_t parts = node.outputs.size();
  return [=](const Tensors& inputs, const RunOptions&) {
    Ints sizes = operand.is_given() ? operand.values(inputs) : Ints(parts, inputs[0].size(axis) / static_cast<std::int64_t>(parts));
    Tensors outputs;
    std::int64_t begin = 0;
    for (const std::int64_t size : sizes) {
      outputs.push_back(inputs[0].narrow(axis, begin, size));
      begin += size;
    }
    return outputs;
  };
}

// One axis of a Slice; a negative step walks back from start to just after end. Bounds are clamped as the specification says.
at::Tensor slice_axis(const at::Tensor& x, std::int64_t axis, std::int64_t start, std::int64_t end, std::int64_t step) {
  const std::int64_t extent = x.size(axis);
  if (start < 0) start += extent;
  // INT64_MIN and the like mean 'past the front' and must not be counted from the end twice.
  if (end < 0) end = end < -extent ? -1 : end + extent;
  if (step > 0) {
    start = std::clamp<std::int64_t>(start, 0, extent);
    return x.slice(axis, start, std::clamp<std::int64_t>(end, start, extent), step);
  }
  start = std::clamp<std::int64_t>(start, 0, std::max<std::int64_t>(extent - 1, 0));
  end = std::clamp<std::int64_t>(end, -1, extent - 1);
  if (start <= end) return x.slice(axis, 0, 0);
  return at::flip(x.slice(axis, end + 1, start + 1), {axis}).slice(axis, 0, extent, -step);
}

Kernel slice(const Network& network, const Node& node) {
  const IntegerOperand starts(network, node, 1), ends(network, node, 2), axes(network, node, 3), steps(network, node, 4);
  return [=](const Tensors& inputs, const RunOptions&) {
    const Ints start = starts.values(inputs), end = ends.values(inputs);
    Ints axis(start.size());
    std::iota(axis.begin(), axis.end(), 0);
    if (axes.is_given()) axis = axes.values(inputs);
    const Ints step = steps.is_given() ? steps.values(inputs) : Ints(start.size(), 1);
    at::Tensor x = inputs[0];
    for (std::size_t i = 0; i < start.size(); ++i) x = slice_axis(x, positive_axis(axis[i], x.dim()), start[i], end[i], step[i]);
    return Tensors{x};
  };
}

Kernel expand(const Network& network, const Node& node) {
  const IntegerOperand target(network, node, 1);
  return [target](const Tensors& inputs, const RunOptions&) {
    // An extent of 1 in the target keeps the input's.
    Ints shape = target.values(inputs);
    const at::Tensor& x = inputs[0];
    const auto rank = static_cast<std::int64_t>(shape.size());
    if (rank < x.dim()) shape.insert(shape.begin(), static_cast<std::size_t>(x.dim() - rank), 1);
    const std::int64_t lead = static_cast<std::int64_t>(shape.size()) - x.dim();
    for (std::int64_t i = 0; i < x.dim(); ++i) {
      std::int64_t& extent = shape[static_cast<std::size_t>(lead + i)];
      if (extent == 1) extent = x.size(i);
    }
    return Tensors{x.expand(shape)};
  };
}

Kernel tile(const Network& network, const Node& node) {
  const IntegerOperand repeats(network, node, 1);
  return [repeats](const Tensors& inputs, const RunOptions&) { return Tensors{inputs[0].repeat(repeats.values(inputs))}; };
}

Kernel shape_of(const Network&, const Node& node) {
  const std::int64_t start = int_attribute(node, "start", 0), end = int_attribute(node, "end", std::numeric_limits<std::int64_t>::max());
  return [=](const Tensors& inputs, const RunOptions&) {
    const std::int64_t rank = inputs[0].dim();
    const auto bound = [rank](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
    const auto sizes = inputs[0].sizes();
    const std::int64_t first = bound(start), last = std::max(first, bound(end));
    return Tensors{int64_tensor(Ints(sizes.begin() + first, sizes.begin() + last), inputs[0].device())};
  };
}

Kernel size_of_input(const Network&, const Node&) {
  return
      [](const Tensors& inputs, const RunOptions&) { return Tensors{int64_tensor({inputs[0].numel()}, inputs[0].device()).reshape({})}; };
}

Kernel constant_of_shape(const Network& network, const Node& node) {
  const IntegerOperand target(network, node, 0);
  const auto found = node.attributes.find("value");
  const Tensor value = found == node.attributes.end() ? Tensor::scalar(0) : std::get<Tensor>(found->second).reshaped({});
  return [target, value = to_torch(value).to(internal::execution_type(value.type()))](const Tensors& inputs, const RunOptions&) {
    return Tensors{value.to(inputs[0].device()).expand(target.values(inputs)).contiguous()};
  };
}

Kernel range(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) {
    const auto options = inputs[0].options();
    return Tensors{at::arange(inputs[0].item(), inputs[1].item(), inputs[2].item(), options)};
  };
}

// DCR: depth is [block, block, channels]; CRD: [channels, block, block].
Kernel depth_to_space(const Network&, const Node& node) {
  const std::int64_t block = int_attribute(node, "blocksize", 1);
  const bool is_crd = string_attribute(node, "mode", "DCR") == "CRD";
  return [=](const Tensors& inputs, const RunOptions&) {
    const at::Tensor& x = inputs[0];
    const std::int64_t n = x.size(0), c = x.size(1) / (block * block), h = x.size(2), w = x.size(3);
    const at::Tensor y = is_crd ? x.reshape({n, c, block, block, h, w}).permute({0, 1, 4, 2, 5, 3})
                                : x.reshape({n, block, block, c, h, w}).permute({0, 3, 4, 1, 5, 2});
    return Tensors{y.reshape({n, c, h * block, w * block})};
  };
}

Kernel space_to_depth(const Network&, const Node& node) {
  const std::int64_t block = int_attribute(node, "blocksize", 1);
  return [block](const Tensors& inputs, const RunOptions&) {
    const at::Tensor& x = inputs[0];
    const std::int64_t n = x.size(0), c = x.size(1), h = x.size(2) / block, w = x.size(3) / block;
    return Tensors{x.reshape({n, c, h, block, w, block}).permute({0, 3, 5, 1, 2, 4}).reshape({n, c * block * block, h, w})};
  };
}

Kernel eye_like(const Network& network, const Node& node) {
  const std::int64_t wanted = int_attribute(node, "k", 0);
  const at::ScalarType type = internal::execution_type(network.value(node.outputs[0]).type);
  return [=](const Tensors& inputs, const RunOptions&) {
    const std::int64_t rows = inputs[0].size(0), columns = inputs[0].size(1);
    const std::int64_t diagonal = std::clamp(wanted, -rows, columns);  // beyond these nothing is left
    // Rows of a larger identity, shifted by the diagonal.
    const std::int64_t margin = std::abs(diagonal), side = std::max(rows, columns) + 2 * margin;
    const at::Tensor whole = at::eye(side, at::TensorOptions().dtype(type).device(inputs[0].device()));
    return Tensors{whole.slice(0, margin, margin + rows).slice(1, margin - diagonal, margin - diagonal + columns)};
  };
}

// Indices along an axis of `extent` for reflection or repetition at the edges; amounts may be negative (cut).
Ints padded_indices(const std::string& mode, std::int64_t extent, std::int64_t begin, std::int64_t end) {
  Ints indices;
  for (std::int64_t i = -begin; i < extent + end; ++i) {
    std::int64_t at = i;
    if (mode == "edge") {
      at = std::clamp<std::int64_t>(i, 0, extent - 1);
    } else if (extent > 1) {
      const std::int64_t period = 2 * (extent - 1);
      at = ((i % period) + period) % period;
      if (at >= extent) at = period - at;
    } else {
      at = 0;
    }
    indices.push_back(at);
  }
  return indices;
}

// What a Pad fills in, where it is known before the network runs: reading it from a GPU would wait for all work before it.
std::optional<at::Scalar> constant_fill(const Network& network, const Node& node) {
  constexpr std::size_t kInput = 2;
  if (node.inputs.size() <= kInput || node.inputs[kInput] == kNoValue) return at::Scalar(0);
  const auto found = network.constants.find(node.inputs[kInput]);
  if (found == network.constants.end()) return std::nullopt;
  return to_torch(found->second).item();
}

Kernel pad(const Network& network, const Node& node) {
  const std::string mode = string_attribute(node, "mode", "constant");
  if (mode != "constant" && mode != "reflect" && mode != "edge") throw_unsupported(node, "mode '" + mode + "'");
  const IntegerOperand amounts(network, node, 1);
  return [=, fill = constant_fill(network, node)](const Tensors& inputs, const RunOptions&) {
    const Ints pads = amounts.values(inputs);
    at::Tensor x = inputs[0];
    const auto rank = static_cast<std::size_t>(x.dim());
    if (mode != "constant") {
      for (std::size_t axis = 0; axis < rank; ++axis) {
        if (pads[axis] == 0 && pads[rank + axis] == 0) continue;
        const auto at = static_cast<std::int64_t>(axis);
        x = at::index_select(x, at, int64_tensor(padded_indices(mode, x.size(at), pads[axis], pads[rank + axis]), x.device()));
      }
      return Tensors{x};
    }
    Ints from_last;
    for (std::size_t axis = rank; axis-- > 0;) {
      from_last.push_back(pads[axis]);
      from_last.push_back(pads[rank + axis]);
    }
    // Leading axes without padding are left out, which keeps LibTorch on its fast path.
    while (!from_last.empty() && from_last[from_last.size() - 1] == 0 && from_last[from_last.size() - 2] == 0)
      from_last.resize(from_last.size() - 2);
    if (from_last.empty()) return Tensors{x};
    return Tensors{at::constant_pad_nd(x, from_last, fill ? *fill : inputs[2].item())};
  };
}

}  // namespace

const Table& shape_table() {
  static const Table table{{"Concat", concat},
                           {"ConstantOfShape", constant_of_shape},
                           {"DepthToSpace", depth_to_space},
                           {"Expand", expand},
                           {"EyeLike", eye_like},
                           {"Flatten", flatten},
                           {"Identity", identity},
                           {"Pad", pad},
                           {"Range", range},
                           {"Reshape", reshape},
                           {"Shape", shape_of},
                           {"Size", size_of_input},
                           {"Slice", slice},
                           {"SpaceToDepth", space_to_depth},
                           {"Split", split},
                           {"Squeeze", squeeze},
                           {"Tile", tile},
                           {"Transpose", transpose},
                           {"Unsqueeze", unsqueeze}};
  return table;
}

}  // namespace lathe::models::kernels
