#include "models/executor.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "models/base/error.h"
#include "models/internal/allocator.h"
#include "models/internal/onnx_proto.h"
#include "models/internal/torch_types.h"
#include "models/kernels/kernel.h"
#include "models/operators.h"

namespace lathe::models {
namespace {

// The stored type, bit for bit where LibTorch has it.
at::ScalarType stored_type(DataType type) {
  if (type == DataType::kFloat16) return at::kHalf;
  if (type == DataType::kBFloat16) return at::kBFloat16;
  return internal::execution_type(type);
}

DataType data_type_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return DataType::kFloat32;
    case at::kDouble:
      return DataType::kFloat64;
    case at::kHalf:
      return DataType::kFloat16;
    case at::kBFloat16:
      return DataType::kBFloat16;
    case at::kChar:
      return DataType::kInt8;
    case at::kByte:
      return DataType::kUint8;
    case at::kShort:
      return DataType::kInt16;
    case at::kInt:
      return DataType::kInt32;
    case at::kLong:
      return DataType::kInt64;
    case at::kBool:
      return DataType::kBool;
    default:
      LATHE_CHECK(false) << "a tensor of type " << c10::toString(type);
  }
  return DataType::kFloat32;
}

template <typename To>
at::Tensor widened(const Tensor& tensor) {
  const std::vector<std::int64_t> values = tensor.to_int64s();
  const std::vector<To> wide(values.begin(), values.end());
  return to_torch(Tensor::from<To>(tensor.shape(), wide));
}

// 4-D images in channels_last; all others as they are.
at::Tensor with_fast_layout(const at::Tensor& x) {
  return x.dim() == 4 && x.is_floating_point() ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

}  // namespace

at::Tensor to_torch(const Tensor& tensor) {
  if (tensor.type() == DataType::kUint16) return widened<std::int32_t>(tensor);
  if (tensor.type() == DataType::kUint32 || tensor.type() == DataType::kUint64) return widened<std::int64_t>(tensor);
  // The copy gives the tensor memory of its own: ours is shared and immutable.
  const auto options = at::TensorOptions().dtype(stored_type(tensor.type()));
  const at::Tensor copy = at::empty(tensor.shape(), options);
  if (!tensor.bytes().empty()) std::memcpy(copy.data_ptr(), tensor.bytes().data(), tensor.bytes().size());
  return copy;
}

Tensor from_torch(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.detach().to(at::kCPU).contiguous();
  const auto* data = static_cast<const std::byte*>(dense.data_ptr());
  Shape shape(dense.sizes().begin(), dense.sizes().end());
  return Tensor(data_type_of(dense.scalar_type()), std::move(shape), std::vector<std::byte>(data, data + dense.nbytes()));
}

struct Executor::State {
  Network network;
  at::Device device = at::kCPU;
  at::ScalarType float_type = at::kFloat;
  std::vector<at::Tensor> constants;            // by ValueId; undefined for computed values
  std::vector<kernels::Kernel> kernels;         // by node; empty for a node that was computed at construction
  std::vector<std::vector<ValueId>> last_uses;  // by node: computed values that nothing reads after it

  at::ScalarType execution_type(DataType type) const;
  void prepare_constants();
  void prepare_kernels();
  void find_last_uses();
  void check_inputs(std::span<const at::Tensor> inputs) const;
  kernels::Tensors run_node(std::size_t index, const std::vector<at::Tensor>& values, const RunOptions& options) const;
  void observe(const Node& node, const std::vector<at::Tensor>& values, const RunOptions& options) const;
};

at::ScalarType Executor::State::execution_type(DataType type) const {
  const at::ScalarType executed = internal::execution_type(type);
  return executed == at::kFloat ? float_type : executed;
}

void Executor::State::prepare_constants() {
  constants.resize(network.values.size());
  for (const auto& [id, tensor] : network.constants) {
    const at::Tensor value = to_torch(tensor).to(execution_type(tensor.type())).to(device);
    constants[static_cast<std::size_t>(id)] = with_fast_layout(value);
  }
}

// Weights that are stored quantized are dequantized once.
void Executor::State::prepare_kernels() {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < network.nodes.size(); ++i) {
    const Node& node = network.nodes[i];
    kernels.push_back(kernels::make_kernel(network, node));
    const bool is_fixed = node.op == "DequantizeLinear" && std::all_of(node.inputs.begin(), node.inputs.end(), [&](ValueId id) {
                            return id == kNoValue || network.is_constant(id);
                          });
    if (!is_fixed) continue;
    constants[static_cast<std::size_t>(node.outputs[0])] = with_fast_layout(run_node(i, constants, {})[0]);
    kernels.back() = nullptr;
  }
}

void Executor::State::find_last_uses() {
  last_uses.resize(network.nodes.size());
  std::vector<bool> is_kept(network.values.size(), false);
  for (const ValueId id : network.outputs) is_kept[static_cast<std::size_t>(id)] = true;
  for (std::size_t i = network.nodes.size(); i-- > 0;) {
    const Node& node = network.nodes[i];
    // An output that nothing reads ends where it is made.
    for (const auto* ids : {&node.inputs, &node.outputs}) {
      for (const ValueId id : *ids) {
        if (id == kNoValue || is_kept[static_cast<std::size_t>(id)]) continue;
        is_kept[static_cast<std::size_t>(id)] = true;
        last_uses[i].push_back(id);
      }
    }
  }
}

void Executor::State::check_inputs(std::span<const at::Tensor> inputs) const {
  LATHE_CHECK_EQ(inputs.size(), network.inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = network.value(network.inputs[i]);
    bool fits = static_cast<std::size_t>(inputs[i].dim()) == value.shape.size();
    for (std::size_t axis = 0; fits && axis < value.shape.size(); ++axis) {
      fits = value.shape[axis] == kDynamic || value.shape[axis] == inputs[i].size(static_cast<std::int64_t>(axis));
    }
    if (fits) continue;
    throw UserError(Fault{.key = "input " + value.name,
                          .expected = "expected shape " + to_string(value.shape) + " (N is free)",
                          .got = to_string(Shape(inputs[i].sizes().begin(), inputs[i].sizes().end()))});
  }
}

kernels::Tensors Executor::State::run_node(std::size_t index, const std::vector<at::Tensor>& values, const RunOptions& options) const {
  const Node& node = network.nodes[index];
  kernels::Tensors inputs;
  inputs.reserve(node.inputs.size());
  for (const ValueId id : node.inputs) inputs.push_back(id == kNoValue ? at::Tensor() : values[static_cast<std::size_t>(id)]);
  try {
    return kernels[index](inputs, options);
  } catch (const c10::Error& error) {
    throw std::runtime_error(network.name + ": " + node.name + " (" + node.op +
                             ") cannot be computed: " + internal::one_line(error.what_without_backtrace()));
  }
}

void Executor::State::observe(const Node& node, const std::vector<at::Tensor>& values, const RunOptions& options) const {
  for (const ValueId id : node.outputs) {
    if (id == kNoValue) continue;
    const at::Tensor& value = values[static_cast<std::size_t>(id)];
    const bool is_wanted = options.observed.empty()
                               ? value.is_floating_point()
                               : std::find(options.observed.begin(), options.observed.end(), id) != options.observed.end();
    if (is_wanted) options.observer(id, value);
  }
}

Executor::Executor(Network network, const std::string& device, at::ScalarType float_type) : state_(std::make_unique<State>()) {
  internal::keep_freed_memory();
  state_->network = std::move(network);
  state_->device = at::Device(device);
  state_->float_type = float_type;
  state_->prepare_constants();
  state_->prepare_kernels();
  state_->find_last_uses();
}

Executor::~Executor() = default;
Executor::Executor(Executor&&) noexcept = default;
Executor& Executor::operator=(Executor&&) noexcept = default;

const Network& Executor::network() const {
  return state_->network;
}

std::vector<at::Tensor> Executor::run(std::span<const at::Tensor> inputs, const RunOptions& options) const {
  const State& s = *state_;
  s.check_inputs(inputs);
  std::vector<at::Tensor> values = s.constants;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const ValueId id = s.network.inputs[i];
    const at::ScalarType type = s.execution_type(s.network.value(id).type);
    values[static_cast<std::size_t>(id)] = with_fast_layout(inputs[i].to(s.device, type));
    if (options.observer && std::find(options.observed.begin(), options.observed.end(), id) != options.observed.end()) {
      options.observer(id, values[static_cast<std::size_t>(id)]);
    }
  }
  for (std::size_t i = 0; i < s.network.nodes.size(); ++i) {
    const Node& node = s.network.nodes[i];
    if (s.kernels[i]) {
      kernels::Tensors outputs = s.run_node(i, values, options);
      for (std::size_t o = 0; o < node.outputs.size(); ++o) {
        if (node.outputs[o] != kNoValue) values[static_cast<std::size_t>(node.outputs[o])] = std::move(outputs.at(o));
      }
    }
    if (options.observer) s.observe(node, values, options);
    for (const ValueId id : s.last_uses[i]) values[static_cast<std::size_t>(id)] = at::Tensor();
  }
  std::vector<at::Tensor> outputs;
  for (const ValueId id : s.network.outputs) outputs.push_back(values[static_cast<std::size_t>(id)]);
  return outputs;
}

std::map<ValueId, at::Tensor> Executor::trainable() const {
  std::map<ValueId, at::Tensor> learned;
  for (const ValueId id : trainable_constants(state_->network)) learned.emplace(id, state_->constants[static_cast<std::size_t>(id)]);
  return learned;
}

at::Tensor Executor::constant(ValueId id) const {
  LATHE_CHECK(state_->network.is_constant(id)) << "value " << id << " is no constant";
  return state_->constants[static_cast<std::size_t>(id)];
}

Network Executor::snapshot() const {
  Network copy = state_->network;
  for (auto& [id, tensor] : copy.constants) {
    // Only float32 changes in training; other types may run in a wider one.
    if (tensor.type() == DataType::kFloat32) tensor = from_torch(state_->constants[static_cast<std::size_t>(id)]);
  }
  return copy;
}

}  // namespace lathe::models
