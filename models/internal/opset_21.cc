#include "models/internal/opset_21.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "models/base/error.h"
#include "models/internal/onnx_proto.h"

namespace lathe::models::internal {
namespace {

constexpr int kOnnxUint4 = 21, kOnnxInt4 = 22;  // TensorProto.DataType of ONNX 1.16
constexpr int kInt4IrVersion = 10, kOpset17IrVersion = 8;

// Attributes that came after opset 17, and the values with which they say nothing new.
struct NewAttribute {
  const char* op;
  const char* name;
  std::int64_t idle;
};
constexpr NewAttribute kNewAttributes[] = {{"Cast", "saturate", 1},
                                           {"QuantizeLinear", "saturate", 1},
                                           {"QuantizeLinear", "block_size", 0},
                                           {"QuantizeLinear", "output_dtype", 0},
                                           {"DequantizeLinear", "block_size", 0},
                                           {"Resize", "antialias", 0},
                                           {"LpPool", "ceil_mode", 0}};

bool is_reduction(const onnx::NodeProto& node) {  // ReduceSum has had its axes as an input since opset 13
  return node.op_type().starts_with("Reduce") && node.op_type() != "ReduceSum";
}

void set_opset(onnx::ModelProto& model, int opset, int ir_version) {
  model.set_ir_version(ir_version);
  for (auto& entry : *model.mutable_opset_import()) {
    if (entry.domain().empty() || entry.domain() == "ai.onnx") entry.set_version(opset);
  }
}

template <typename Predicate>
void erase_attributes(onnx::NodeProto& node, Predicate is_erased) {
  auto* attributes = node.mutable_attribute();
  for (int i = attributes->size(); i-- > 0;) {
    if (is_erased(attributes->Get(i))) attributes->DeleteSubrange(i, 1);
  }
}

void erase_idle_attributes(onnx::NodeProto& node) {
  erase_attributes(node, [&](const onnx::AttributeProto& attribute) {
    if (node.op_type() == "Split" && attribute.name() == "num_outputs") return true;
    if (node.op_type() == "Resize" && attribute.name() == "keep_aspect_ratio_policy") return attribute.s() == "stretch";
    if (is_reduction(node) && attribute.name() == "noop_with_empty_axes") return attribute.i() == 0;
    return std::any_of(std::begin(kNewAttributes), std::end(kNewAttributes), [&](const NewAttribute& each) {
      return node.op_type() == each.op && attribute.name() == each.name && attribute.i() == each.idle;
    });
  });
}

// What constants of the file hold: initializers, and Constant nodes of a tensor or of integers.
std::map<std::string, Tensor> integer_constants(const onnx::GraphProto& graph) {
  std::map<std::string, Tensor> constants;
  for (const auto& tensor : graph.initializer()) {
    if (tensor.data_type() == onnx::TensorProto::INT64) constants.emplace(tensor.name(), tensor_of(tensor));
  }
  for (const auto& node : graph.node()) {
    if (node.op_type() != "Constant" || node.attribute_size() != 1 || node.output_size() != 1) continue;
    const onnx::AttributeProto& value = node.attribute(0);
    if (value.name() == "value" && value.t().data_type() == onnx::TensorProto::INT64) {
      constants.emplace(node.output(0), tensor_of(value.t()));
    } else if (value.name() == "value_ints") {
      constants.emplace(node.output(0), Tensor::int64s({value.ints().begin(), value.ints().end()}));
    }
  }
  return constants;
}

void move_axes_to_attribute(onnx::NodeProto& node, const std::map<std::string, Tensor>& constants) {
  if (node.input_size() < 2) return;
  const auto axes = constants.find(node.input(1));
  if (axes == constants.end() && !node.input(1).empty()) return;
  node.mutable_input()->RemoveLast();
  if (axes == constants.end() || axes->second.size() == 0) return;
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name("axes");
  attribute.set_type(onnx::AttributeProto::INTS);
  for (const std::int64_t axis : axes->second.to_int64s()) attribute.add_ints(axis);
}

void move_axes_to_input(onnx::GraphProto& graph, onnx::NodeProto& node) {
  const auto axes = std::find_if(node.attribute().begin(), node.attribute().end(), [](const auto& a) { return a.name() == "axes"; });
  if (axes == node.attribute().end()) return;
  const std::string name = node.output(0) + ".reduced_axes";
  *graph.add_initializer() = proto_of(Tensor::int64s({axes->ints().begin(), axes->ints().end()}), name);
  node.add_input(name);
  erase_attributes(node, [](const onnx::AttributeProto& attribute) { return attribute.name() == "axes"; });
}

std::optional<DataType> four_bit_type(const onnx::TensorProto& proto) {
  if (proto.data_type() == kOnnxInt4) return DataType::kInt4;
  if (proto.data_type() == kOnnxUint4) return DataType::kUint4;
  return std::nullopt;
}

// Bytes of two elements each, as the file has them.
std::string packed_bytes_of(const onnx::TensorProto& proto) {
  if (proto.has_raw_data()) return proto.raw_data();
  std::string bytes;
  for (const std::int32_t pair : proto.int32_data()) bytes.push_back(static_cast<char>(pair));
  return bytes;
}

void unpack(onnx::TensorProto& proto, DataType type) {
  std::int64_t count = 1;
  for (const std::int64_t extent : proto.dims()) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count))
      throw UserError(Fault{.key = "tensor " + proto.name(), .expected = "shape is not legal"});
  }
  const std::string packed = packed_bytes_of(proto);
  if (static_cast<std::int64_t>(packed.size()) != count / 2 + count % 2) {
    throw UserError(Fault{.key = "tensor " + proto.name(),
                          .expected = std::to_string(count) + " elements of 4 bits take " + std::to_string(count / 2 + count % 2) +
                                      " bytes, the file has " + std::to_string(packed.size())});
  }
  std::string bytes(static_cast<std::size_t>(count), '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int half = (static_cast<unsigned char>(packed[i / 2]) >> (i % 2 * 4)) & 0xF;
    bytes[i] = static_cast<char>(type == DataType::kInt4 && half >= 8 ? half - 16 : half);
  }
  proto.clear_int32_data();
  proto.set_data_type(onnx_type_of(type));
  proto.set_raw_data(std::move(bytes));
}

void pack(onnx::TensorProto& proto, DataType type) {
  const std::string& bytes = proto.raw_data();
  std::string packed((bytes.size() + 1) / 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int value = type == DataType::kInt4 ? static_cast<signed char>(bytes[i]) : static_cast<unsigned char>(bytes[i]);
    LATHE_CHECK(type == DataType::kInt4 ? value >= -8 && value <= 7 : value <= 15) << proto.name() << " holds " << value;
    packed[i / 2] = static_cast<char>(static_cast<unsigned char>(packed[i / 2]) | (value & 0xF) << (i % 2 * 4));
  }
  proto.set_data_type(type == DataType::kInt4 ? kOnnxInt4 : kOnnxUint4);
  proto.set_raw_data(std::move(packed));
}

}  // namespace

FourBitTensors lower_to_opset_17(onnx::ModelProto& model) {
  onnx::GraphProto& graph = *model.mutable_graph();
  FourBitTensors four_bit;
  for (auto& tensor : *graph.mutable_initializer()) {
    const std::optional<DataType> type = four_bit_type(tensor);
    if (!type) continue;
    unpack(tensor, *type);
    four_bit.emplace(tensor.name(), *type);
  }
  const std::map<std::string, Tensor> constants = integer_constants(graph);
  for (auto& node : *graph.mutable_node()) {
    // Its zero point says what a QuantizeLinear makes.
    if (node.op_type() == "QuantizeLinear" && node.input_size() > 2 && four_bit.contains(node.input(2))) {
      throw UserError(Fault{.key = node.name(), .expected = "activations of 4 bits (QuantizeLinear to int4 or uint4) are not supported"});
    }
    erase_idle_attributes(node);
    if (is_reduction(node)) move_axes_to_attribute(node, constants);
  }
  set_opset(model, 17, kOpset17IrVersion);
  return four_bit;
}

onnx::TensorProto file_proto_of(const Tensor& tensor, const std::string& name) {
  onnx::TensorProto proto = proto_of(tensor, name);
  if (tensor.type() == DataType::kInt4 || tensor.type() == DataType::kUint4) pack(proto, tensor.type());
  return proto;
}

void lift_to_opset_21(onnx::ModelProto& model, const FourBitTensors& four_bit) {
  onnx::GraphProto& graph = *model.mutable_graph();
  for (auto& tensor : *graph.mutable_initializer()) {
    if (const auto found = four_bit.find(tensor.name()); found != four_bit.end()) pack(tensor, found->second);
  }
  for (auto& node : *graph.mutable_node()) {
    if (!node.domain().empty()) continue;
    if (is_reduction(node)) move_axes_to_input(graph, node);
    if (node.op_type() != "Split" || node.input_size() > 1) continue;
    onnx::AttributeProto& parts = *node.add_attribute();
    parts.set_name("num_outputs");
    parts.set_type(onnx::AttributeProto::INT);
    parts.set_i(node.output_size());
  }
  set_opset(model, kInt4Opset, kInt4IrVersion);
}

}  // namespace lathe::models::internal
