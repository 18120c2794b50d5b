#include "models/onnx_writer.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "models/base/error.h"
#include "models/internal/onnx_proto.h"
#include "models/internal/opset_21.h"
#include "models/internal/sparse_proto.h"

namespace lathe::models {
namespace {

// The IR version that came with each opset (ONNX's release table); ONNX Runtime refuses files whose IR is newer than it knows.
int ir_version_of(int opset) {
  return opset <= 14 ? 7 : 8;
}

void fill_value_info(onnx::ValueInfoProto* info, const Value& value) {
  info->set_name(value.name);
  auto* tensor = info->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(internal::onnx_type_of(value.type));
  auto* shape = tensor->mutable_shape();
  for (std::size_t axis = 0; axis < value.shape.size(); ++axis) {
    auto* dim = shape->add_dim();
    if (value.shape[axis] != kDynamic) {
      dim->set_dim_value(value.shape[axis]);
    } else if (axis == 0) {
      dim->set_dim_param("N");
    }
    // Elsewhere an open extent may be a multiple of the batch: it gets no name.
  }
}

void add_node(onnx::GraphProto& graph, const Network& network, const Node& node) {
  LATHE_CHECK_NE(node.domain, kLatheDomain) << node.name << " is " << node.op << ", which no other tool knows";
  onnx::NodeProto* proto = graph.add_node();
  proto->set_name(node.name);
  proto->set_op_type(node.op);
  if (!node.domain.empty()) proto->set_domain(node.domain);
  const auto name_of = [&](ValueId id) { return id == kNoValue ? std::string() : network.value(id).name; };
  // Left-out operands at the end are not written.
  std::size_t inputs = node.inputs.size();
  while (inputs > 0 && node.inputs[inputs - 1] == kNoValue) --inputs;
  for (std::size_t i = 0; i < inputs; ++i) proto->add_input(name_of(node.inputs[i]));
  for (const ValueId id : node.outputs) proto->add_output(name_of(id));
  for (const auto& [name, attribute] : node.attributes) *proto->add_attribute() = internal::proto_of(attribute, name);
}

bool has_four_bits(const Tensor& tensor) {
  return tensor.type() == DataType::kInt4 || tensor.type() == DataType::kUint4;
}

void add_initializer(onnx::GraphProto& graph, const Tensor& tensor, const std::string& name, SparseInitializers sparse) {
  constexpr std::int64_t kMatrix = 2;  // vectors of zeros (zero points) are no sparse weights
  if (sparse == SparseInitializers::kWhereSmaller && tensor.rank() >= kMatrix && !has_four_bits(tensor)) {
    const internal::NonZeros kept = internal::non_zeros_of(tensor);
    if (kept.positions.bytes().size() + kept.values.bytes().size() < tensor.bytes().size()) {
      *graph.add_sparse_initializer() = internal::proto_of(kept, tensor.shape(), name);
      return;
    }
  }
  *graph.add_initializer() = internal::proto_of(tensor, name);
}

onnx::ModelProto model_of(const Network& network, SparseInitializers sparse) {
  onnx::ModelProto model;
  model.set_ir_version(ir_version_of(network.opset));
  model.set_producer_name("lathe");
  std::map<std::string, int> opsets{{"", network.opset}};  // by domain; other tools' domains are all at their first version
  for (const Node& node : network.nodes) opsets.try_emplace(node.domain, 1);
  for (const auto& [domain, version] : opsets) {
    auto* opset = model.add_opset_import();
    opset->set_domain(domain);
    opset->set_version(version);
  }
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name(network.name.empty() ? "network" : network.name);
  for (const ValueId id : network.inputs) fill_value_info(graph.add_input(), network.value(id));
  for (const auto& [id, tensor] : network.constants) add_initializer(graph, tensor, network.value(id).name, sparse);
  for (const Node& node : network.nodes) add_node(graph, network, node);
  for (const ValueId id : network.outputs) fill_value_info(graph.add_output(), network.value(id));
  return model;
}

std::string error_text() {
  return std::strerror(errno);
}

}  // namespace

std::string serialize_onnx(const Network& network, SparseInitializers sparse) {
  onnx::ModelProto model = model_of(network, sparse);
  try {
    onnx::checker::check_model(model);
  } catch (const std::exception& error) {
    LATHE_CHECK(false) << "the ONNX checker refuses " << network.name << ": " << error.what();
  }
  internal::FourBitTensors four_bit;
  for (const auto& [id, tensor] : network.constants) {
    if (has_four_bits(tensor)) four_bit.emplace(network.value(id).name, tensor.type());
  }
  if (!four_bit.empty()) internal::lift_to_opset_21(model, four_bit);
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    LATHE_CHECK(model.SerializeToCodedStream(&coded)) << network.name << " takes more than the 2 GiB of a protobuf";
  }
  return bytes;
}

void write_onnx(const Network& network, const std::string& path, SparseInitializers sparse) {
  const std::string bytes = serialize_onnx(network, sparse);
  const std::string temporary = path + ".tmp" + std::to_string(getpid());
  const auto fail = [&](const std::string& why) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw UserError(Fault{.file = path, .expected = "cannot be written: " + why});
  };
  if (std::filesystem::is_directory(path)) fail("is a folder");
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  if (!file) fail(error_text());
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) fail(error_text());
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) fail(error.message());
}

}  // namespace lathe::models
