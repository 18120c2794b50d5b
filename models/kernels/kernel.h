// How an operator is computed: a factory looks at a node once (attributes, constant operands) and returns a function that runs it.
// To add an operator: write its factory in the file of its family, name it in that family's table below, and name it in
// supported_operators.cc; the node tests then run it.
#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <torch/version.h>

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "models/network.h"

namespace lathe::models {
struct RunOptions;
}

namespace lathe::models::kernels {

using Tensors = std::vector<at::Tensor>;

// LibTorch's own optional until 2.5, the standard one since.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 5)
template <typename T>
using Optional = std::optional<T>;
#else
template <typename T>
using Optional = c10::optional<T>;
#endif

// inputs: in the node's order, undefined where left out. Returns one tensor for each output of the node. Thread-safe.
using Kernel = std::function<Tensors(const Tensors& inputs, const RunOptions& options)>;
// Throws UserError (key = the node's name) for attributes that Lathe does not execute.
using Factory = Kernel (*)(const Network& network, const Node& node);
using Table = std::unordered_map<std::string, Factory>;

// One for each family of operators.
const Table& activation_table();
const Table& arithmetic_table();
const Table& convolution_table();
const Table& indexing_table();
const Table& matrix_table();
const Table& normalization_table();
const Table& pooling_table();
const Table& quantization_table();
const Table& reduction_table();
const Table& resize_table();
const Table& shape_table();

// The function that runs `node`; a check failure for an operator that no table has.
Kernel make_kernel(const Network& network, const Node& node);
// Names of all operators that the tables have, sorted; lathe.FakeQuantize appears with its domain.
std::vector<std::string> kernel_names();

// What several families need:

// Axis counted from the end where negative.
inline std::int64_t positive_axis(std::int64_t axis, std::int64_t rank) {
  return axis < 0 ? axis + rank : axis;
}
// The integers that `input` of the node holds: known now where it is a constant, else read from the tensor when it runs.
class IntegerOperand {
 public:
  IntegerOperand(const Network& network, const Node& node, std::size_t input);
  bool is_given() const { return is_given_; }
  std::vector<std::int64_t> values(const Tensors& inputs) const;

 private:
  std::size_t input_;
  bool is_given_ = false, is_constant_ = false;
  std::vector<std::int64_t> constant_;
};
// An input of the node, or nothing where it is left out.
inline Optional<at::Tensor> optional_input(const Tensors& inputs, std::size_t index) {
  return index < inputs.size() && inputs[index].defined() ? Optional<at::Tensor>(inputs[index]) : Optional<at::Tensor>();
}
inline bool has_input(const Tensors& inputs, std::size_t index) {
  return index < inputs.size() && inputs[index].defined();
}
[[noreturn]] void throw_unsupported(const Node& node, const std::string& what);

}  // namespace lathe::models::kernels
