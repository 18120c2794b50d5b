// Gathering and scattering by index tensors. Negative indices count from the end of their axis.
#include <ATen/ops/arange.h>
#include <ATen/ops/eq.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/index.h>
#include <ATen/ops/index_put.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/scatter.h>
#include <ATen/ops/scatter_add.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "models/kernels/kernel.h"

namespace lathe::models::kernels {
namespace {

using Ints = std::vector<std::int64_t>;

at::Tensor wrapped(const at::Tensor& indices, std::int64_t extent) {
  const at::Tensor wide = indices.to(at::kLong);
  return at::where(wide.lt(0), wide + extent, wide);
}

Kernel gather(const Network&, const Node& node) {
  const std::int64_t axis_attribute = int_attribute(node, "axis", 0);
  return [axis_attribute](const Tensors& inputs, const RunOptions&) {
    const at::Tensor& x = inputs[0];
    const std::int64_t axis = positive_axis(axis_attribute, x.dim());
    const at::Tensor indices = wrapped(inputs[1], x.size(axis));
    Ints shape(x.sizes().begin(), x.sizes().begin() + axis);
    shape.insert(shape.end(), indices.sizes().begin(), indices.sizes().end());
    shape.insert(shape.end(), x.sizes().begin() + axis + 1, x.sizes().end());
    return Tensors{at::index_select(x, axis, indices.reshape({-1})).reshape(shape)};
  };
}

Kernel gather_elements(const Network&, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", 0);
  return [axis](const Tensors& inputs, const RunOptions&) {
    return Tensors{at::gather(inputs[0], axis, wrapped(inputs[1], inputs[0].size(axis)))};
  };
}

// The last axis of `indices` holds a position on the axes of x that follow the batch axes: one index tensor for each of them.
c10::List<Optional<at::Tensor>> positions(const at::Tensor& x, const at::Tensor& indices, std::int64_t batch_axes) {
  c10::List<Optional<at::Tensor>> all;
  const std::int64_t free_axes = indices.dim() - 1;
  for (std::int64_t axis = 0; axis < batch_axes; ++axis) {
    Ints shape(static_cast<std::size_t>(free_axes), 1);
    shape[static_cast<std::size_t>(axis)] = x.size(axis);
    all.push_back(at::arange(x.size(axis), indices.options().dtype(at::kLong)).reshape(shape));
  }
  for (std::int64_t i = 0; i < indices.size(-1); ++i) all.push_back(wrapped(indices.select(-1, i), x.size(batch_axes + i)));
  return all;
}

Kernel gather_nd(const Network&, const Node& node) {
  const std::int64_t batch_axes = int_attribute(node, "batch_dims", 0);
  return [batch_axes](const Tensors& inputs, const RunOptions&) {
    return Tensors{at::index(inputs[0], positions(inputs[0], inputs[1], batch_axes))};
  };
}

Kernel scatter_nd(const Network&, const Node& node) {
  const std::string reduction = string_attribute(node, "reduction", "none");
  if (reduction != "none" && reduction != "add") throw_unsupported(node, "reduction '" + reduction + "'");
  return [adds = reduction == "add"](const Tensors& inputs, const RunOptions&) {
    return Tensors{at::index_put(inputs[0], positions(inputs[0], inputs[1], 0), inputs[2], adds)};
  };
}

Kernel scatter_elements(const Network&, const Node& node) {
  const std::int64_t axis = int_attribute(node, "axis", 0);
  const std::string reduction = string_attribute(node, "reduction", "none");
  if (reduction != "none" && reduction != "add") throw_unsupported(node, "reduction '" + reduction + "'");
  return [=](const Tensors& inputs, const RunOptions&) {
    const at::Tensor indices = wrapped(inputs[1], inputs[0].size(axis));
    return Tensors{reduction == "add" ? at::scatter_add(inputs[0], axis, indices, inputs[2])
                                      : at::scatter(inputs[0], axis, indices, inputs[2])};
  };
}

// depth is a number, values [off, on]; an index outside [-depth, depth) gives a row of `off`.
Kernel one_hot(const Network&, const Node& node) {
  const std::int64_t axis_attribute = int_attribute(node, "axis", -1);
  return [axis_attribute](const Tensors& inputs, const RunOptions&) {
    const std::int64_t depth = inputs[1].reshape({-1}).item().toLong();
    const std::int64_t axis = positive_axis(axis_attribute, inputs[0].dim() + 1);
    const at::Tensor indices = wrapped(inputs[0], depth).unsqueeze(axis);
    Ints shape(static_cast<std::size_t>(indices.dim()), 1);
    shape[static_cast<std::size_t>(axis)] = depth;
    const at::Tensor is_hot = at::eq(indices, at::arange(depth, indices.options()).reshape(shape));
    return Tensors{at::where(is_hot, inputs[2].select(0, 1), inputs[2].select(0, 0))};
  };
}

// Of equal elements the one of the lower index comes first, as ONNX demands and at::topk does not promise.
Kernel top_k(const Network& network, const Node& node) {
  const IntegerOperand count(network, node, 1);
  const std::int64_t axis = int_attribute(node, "axis", -1);
  const bool largest = int_attribute(node, "largest", 1) != 0;
  return [=](const Tensors& inputs, const RunOptions&) {
    const std::int64_t k = count.values(inputs).at(0);
    const auto [values, indices] = at::sort(inputs[0], /*stable=*/true, axis, /*descending=*/largest);
    return Tensors{values.narrow(axis, 0, k), indices.narrow(axis, 0, k)};
  };
}

// The two operators that mark a place where tokens can be dropped, and drop none (policies/token_selection.h): the scores are what nobody
// looks at, the rest passes.
Kernel token_scores(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) { return Tensors{inputs[0].narrow(1, 0, 1).narrow(2, 0, 1)}; };
}

Kernel select_tokens(const Network&, const Node&) {
  return [](const Tensors& inputs, const RunOptions&) {
    Tensors outputs = inputs;
    outputs.erase(outputs.begin() + 1);
    return outputs;
  };
}

Kernel triangle(const Network& network, const Node& node) {
  const IntegerOperand diagonal(network, node, 1);
  const bool is_upper = int_attribute(node, "upper", 1) != 0;
  return [=](const Tensors& inputs, const RunOptions&) {
    const std::int64_t k = diagonal.is_given() ? diagonal.values(inputs).at(0) : 0;
    return Tensors{is_upper ? at::triu(inputs[0], k) : at::tril(inputs[0], k)};
  };
}

}  // namespace

const Table& indexing_table() {
  static const Table table{{"Gather", gather},
                           {"GatherElements", gather_elements},
                           {"GatherND", gather_nd},
                           {"OneHot", one_hot},
                           {"ScatterElements", scatter_elements},
                           {"ScatterND", scatter_nd},
                           {"TopK", top_k},
                           {"Trilu", triangle},
                           {"lathe.SelectTokens", select_tokens},
                           {"lathe.TokenScores", token_scores}};
  return table;
}

}  // namespace lathe::models::kernels
