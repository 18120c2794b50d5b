#include "models/internal/graph_builder.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

#include "models/base/error.h"
#include "models/executor.h"
#include "models/internal/onnx_proto.h"
#include "models/kernels/kernel.h"

namespace lathe::models::internal {
namespace {

// A constant result may be this large whatever it is computed from; larger ones only where they are no larger than their inputs.
constexpr std::int64_t kSmallConstant = 1 << 20;
// Contents that depend on the batch serve as shapes and indices, which are short.
constexpr std::int64_t kLongestShapeArithmetic = 1 << 16;
// Beyond any memory; keeps products of extents within 64 bits.
constexpr std::int64_t kLargestValue = std::int64_t{1} << 38;

void check_size(const std::string& name, const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count) || count > kLargestValue) {
      throw UserError(Fault{.key = name, .expected = "comes out with the impossible shape " + to_string(shape)});
    }
  }
}

// Operators that stay although their inputs are constants: quantized weights are stored quantized.
bool is_kept_unfolded(const Node& node) {
  return node.op == "DequantizeLinear" || !node.domain.empty();
}

}  // namespace

ValueId GraphBuilder::add_value(const std::string& name, DataType type, const ShapePair& shapes) {
  for (const Shape& shape : shapes) check_size(name, shape);
  Shape shape = shapes[0];
  if (shapes[0].size() != shapes[1].size())
    throw UserError(Fault{.key = name, .expected = "has a number of axes that depends on the batch size"});
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (shapes[0][i] != shapes[1][i]) shape[i] = kDynamic;
  }
  std::string unique = name;
  for (int suffix = 1; !value_names_.insert(unique).second; ++suffix) unique = name + "_" + std::to_string(suffix);
  shapes_.push_back(shapes);
  return network_.add_value({std::move(unique), type, std::move(shape)});
}

ValueId GraphBuilder::add_constant(const std::string& name, Tensor tensor) {
  const ValueId id = add_value(name, tensor.type(), {tensor.shape(), tensor.shape()});
  contents_[id] = {tensor, tensor};
  network_.constants.emplace(id, std::move(tensor));
  return id;
}

const std::optional<Tensor>& GraphBuilder::content(ValueId id, std::size_t side) const {
  static const std::optional<Tensor> kUnknown;
  const auto found = contents_.find(id);
  return found == contents_.end() ? kUnknown : found->second[side];
}

std::string GraphBuilder::unique_node_name(const std::string& wanted) {
  std::string unique = wanted;
  for (int suffix = 1; !node_names_.insert(unique).second; ++suffix) unique = wanted + "_" + std::to_string(suffix);
  return unique;
}

void GraphBuilder::emit(Node node) {
  if (try_fold(node)) return;
  kernels::make_kernel(network_, node);  // throws where an attribute is not supported
  network_.nodes.push_back(std::move(node));
}

// Returns whether the outputs have become constants, so that the node is not needed. Contents that depend on the batch are
// remembered, but the node stays: something may need it when the network runs.
bool GraphBuilder::try_fold(const Node& node) {
  if (is_kept_unfolded(node)) return false;
  const bool is_shape_query = node.op == "Shape" || node.op == "Size";
  std::int64_t input_elements = 0, output_elements = 0;
  bool is_constant = true;
  for (const ValueId id : node.inputs) {
    if (id == kNoValue || is_shape_query) continue;
    if (!has_content(id)) return false;
    is_constant = is_constant && network_.is_constant(id);
    input_elements += element_count(shapes(id)[1]);
  }
  for (const ValueId id : node.outputs) {
    if (id != kNoValue) output_elements += element_count(shapes(id)[1]);
  }
  const std::int64_t limit = is_constant && !is_shape_query ? std::max(kSmallConstant, input_elements) : kLongestShapeArithmetic;
  if (output_elements > limit) return false;

  const std::vector<Tensor> first = evaluate(node, 0);
  const std::vector<Tensor> second = is_constant && !is_shape_query ? first : evaluate(node, 1);
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    // LibTorch computes unsigned integers and half floats in wider types; such nodes stay.
    if (node.outputs[i] != kNoValue && first[i].type() != network_.value(node.outputs[i]).type) return false;
  }
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) contents_[node.outputs[i]] = {first[i], second[i]};
  }
  if (first != second) return false;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) network_.constants.emplace(node.outputs[i], first[i]);
  }
  return true;
}

std::vector<Tensor> GraphBuilder::evaluate(const Node& node, std::size_t side) const {
  if (node.op == "Shape" || node.op == "Size") {
    const Shape& shape = shapes(node.inputs[0])[side];
    if (node.op == "Size") return {Tensor::from<std::int64_t>({}, std::vector<std::int64_t>{element_count(shape)})};
    const auto rank = static_cast<std::int64_t>(shape.size());
    const auto bound = [&](const char* name, std::int64_t otherwise) {
      const std::int64_t at = int_attribute(node, name, otherwise);
      return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
    };
    const std::int64_t start = bound("start", 0), end = std::max(start, bound("end", rank));
    return {Tensor::int64s(Shape(shape.begin() + start, shape.begin() + end))};
  }
  kernels::Tensors inputs;
  for (const ValueId id : node.inputs) inputs.push_back(id == kNoValue ? at::Tensor() : to_torch(*content(id, side)));
  try {
    const at::NoGradGuard no_grad;
    std::vector<Tensor> outputs;
    for (const at::Tensor& output : kernels::make_kernel(network_, node)(inputs, RunOptions{})) {
      outputs.push_back(output.defined() ? from_torch(output) : Tensor());
    }
    for (std::size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == kNoValue) continue;
      if (i >= outputs.size() || outputs[i].shape() != shapes(node.outputs[i])[side]) {
        throw UserError(Fault{.key = node.name, .expected = node.op + " does not give the shape that ONNX infers for it"});
      }
    }
    return outputs;
  } catch (const UserError&) {
    throw;
  } catch (const std::exception& error) {
    throw UserError(Fault{.key = node.name, .expected = node.op + " cannot be computed: " + one_line(error.what())});
  }
}

}  // namespace lathe::models::internal
