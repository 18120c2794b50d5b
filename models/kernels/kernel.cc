#include "models/kernels/kernel.h"

#include <algorithm>
#include <array>

#include "models/base/error.h"

namespace lathe::models::kernels {
namespace {

std::array<const Table*, 11> tables() {
  return {&activation_table(), &arithmetic_table(),   &convolution_table(), &indexing_table(), &matrix_table(), &normalization_table(),
          &pooling_table(),    &quantization_table(), &reduction_table(),   &resize_table(),   &shape_table()};
}

}  // namespace

Kernel make_kernel(const Network& network, const Node& node) {
  const std::string name = node.domain.empty() ? node.op : node.domain + "." + node.op;
  for (const Table* table : tables()) {
    if (const auto found = table->find(name); found != table->end()) return found->second(network, node);
  }
  LATHE_CHECK(false) << "no kernel for " << name;
  return {};
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const Table* table : tables()) {
    for (const auto& [name, factory] : *table) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

IntegerOperand::IntegerOperand(const Network& network, const Node& node, std::size_t input) : input_(input) {
  if (input >= node.inputs.size() || node.inputs[input] == kNoValue) return;
  is_given_ = true;
  const auto found = network.constants.find(node.inputs[input]);
  if (found == network.constants.end()) return;
  is_constant_ = true;
  constant_ = found->second.to_int64s();
}

std::vector<std::int64_t> IntegerOperand::values(const Tensors& inputs) const {
  if (is_constant_) return constant_;
  const at::Tensor tensor = inputs[input_].to(at::kCPU, at::kLong).contiguous();
  const auto* data = tensor.data_ptr<std::int64_t>();
  return {data, data + tensor.numel()};
}

void throw_unsupported(const Node& node, const std::string& what) {
  throw UserError(Fault{.key = node.name, .expected = node.op + " with " + what + " is not supported"});
}

}  // namespace lathe::models::kernels
