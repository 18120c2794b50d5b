#include "models/onnx_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "models/base/error.h"
#include "models/base/sha256.h"
#include "models/internal/canonical_form.h"
#include "models/internal/graph_builder.h"
#include "models/internal/model_file.h"
#include "models/internal/node_inference.h"
#include "models/internal/onnx_proto.h"
#include "models/internal/operand_checks.h"
#include "models/internal/sample_independence.h"
#include "models/internal/sparse_proto.h"
#include "models/operators.h"

namespace lathe::models {
namespace {

using internal::GraphBuilder;
using internal::kBatches;
using internal::ShapePair;

class Importer {
 public:
  // opened_batch: inputs whose first extent is this are read as if it were open; 0 = as the file says.
  explicit Importer(const internal::LoadedModel& loaded, std::int64_t opened_batch)
      : graph_(loaded.model.graph()),
        four_bit_(loaded.four_bit),
        opset_(internal::opset_of(loaded.model)),
        opened_batch_(opened_batch),
        builder_(std::max(13, opset_)) {}

  Network run() {
    if (graph_.output_size() == 0) throw UserError(Fault{.expected = "the graph has no outputs"});
    for (const auto& tensor : graph_.initializer()) ids_[tensor.name()] = builder_.add_constant(tensor.name(), initializer_of(tensor));
    for (const auto& sparse : graph_.sparse_initializer())
      ids_[sparse.values().name()] = builder_.add_constant(sparse.values().name(), internal::tensor_of(sparse));
    for (const auto& input : graph_.input()) {
      if (!ids_.contains(input.name())) import_input(input);
    }
    // Names of the file come before names that are made up.
    for (const auto& node : graph_.node()) names_.push_back(node.name().empty() ? "" : builder_.unique_node_name(node.name()));
    for (int i = 0; i < graph_.node_size(); ++i) import_node(graph_.node(i), i);
    for (const auto& output : graph_.output()) import_output(output.name());
    return without_dead_nodes(std::move(builder_.network()));
  }

 private:
  Tensor initializer_of(const onnx::TensorProto& proto) const {
    Tensor tensor = internal::tensor_of(proto);
    const auto four_bit = four_bit_.find(proto.name());
    if (four_bit == four_bit_.end()) return tensor;
    return Tensor(four_bit->second, tensor.shape(), {tensor.bytes().begin(), tensor.bytes().end()});
  }

  // The first extent is the batch where it is open; every other must be known.
  void import_input(const onnx::ValueInfoProto& input) {
    const std::string key = "input " + input.name();
    if (input.type().value_case() != onnx::TypeProto::kTensorType) throw UserError(Fault{.key = key, .expected = "is not a tensor"});
    const auto& proto = input.type().tensor_type();
    const auto type = internal::data_type_of(proto.elem_type());
    if (!type)
      throw UserError(Fault{.key = key, .expected = "element type " + internal::onnx_type_name(proto.elem_type()) + " is not supported"});
    if (!proto.has_shape()) throw UserError(Fault{.key = key, .expected = "has no shape; every extent but the batch must be known"});
    ShapePair shapes;
    for (int axis = 0; axis < proto.shape().dim_size(); ++axis) {
      const auto& dim = proto.shape().dim(axis);
      const bool is_opened = axis == 0 && opened_batch_ > 0 && dim.dim_value() == opened_batch_;
      const bool is_known = dim.has_dim_value() && dim.dim_value() > 0 && !is_opened;
      if (!is_known && axis > 0) {
        const std::string name = dim.has_dim_param() && !dim.dim_param().empty() ? " ('" + dim.dim_param() + "')" : "";
        throw UserError(Fault{.key = key,
                              .expected = "axis " + std::to_string(axis) + name +
                                          " is dynamic; only the first axis (the batch) may be. Fix it when exporting"});
      }
      for (std::size_t side = 0; side < shapes.size(); ++side) shapes[side].push_back(is_known ? dim.dim_value() : kBatches[side]);
    }
    ids_[input.name()] = builder_.add_value(input.name(), *type, shapes);
    builder_.network().inputs.push_back(ids_[input.name()]);
  }

  void import_node(const onnx::NodeProto& proto, int index) {
    Node node{.name = name_of(proto, index), .op = proto.op_type()};
    try {
      for (const auto& attribute : proto.attribute()) node.attributes.emplace(attribute.name(), internal::attribute_of(attribute));
    } catch (const UserError& error) {
      throw UserError(Fault{.key = node.name, .expected = error.faults()[0].expected});
    }
    if (proto.op_type() == "Constant") {
      ids_[proto.output(0)] = builder_.add_constant(proto.output(0), constant_of(node));
      return;
    }
    for (const std::string& input : proto.input()) node.inputs.push_back(input.empty() ? kNoValue : id_of(input, node.name));
    if (opened_batch_ > 0 && node.op == "Reshape") open_target(node);
    internal::check_operands(builder_, node);
    const auto values = internal::infer_node(proto, node.name, node.inputs, builder_, opset_);
    if (can_skip(proto, node, values)) {
      ids_[proto.output(0)] = node.inputs[0];
      return;
    }
    // A BatchNormalization that some exporter wrote with five outputs computes only the first at inference.
    const std::size_t output_count = node.op == "BatchNormalization" ? 1 : values.size();
    for (std::size_t i = 0; i < output_count; ++i) {
      if (!values[i]) {
        node.outputs.push_back(kNoValue);
        continue;
      }
      const std::string& output = proto.output(static_cast<int>(i));
      node.outputs.push_back(builder_.add_value(output, values[i]->type, values[i]->shapes));
      ids_[output] = node.outputs.back();
    }
    internal::emit_canonical(builder_, std::move(node), opset_);
  }

  // Where the batch was fixed, an exporter wrote it into the targets of Reshape: there it follows from the other extents.
  void open_target(Node& node) {
    if (node.inputs.size() < 2 || node.inputs[0] == kNoValue || !builder_.network().is_constant(node.inputs[1])) return;
    const ShapePair& shapes = builder_.shapes(node.inputs[0]);
    std::vector<std::int64_t> target = builder_.network().constants.at(node.inputs[1]).to_int64s();
    if (shapes[0] == shapes[1] || target.empty() || target[0] != opened_batch_) return;
    const bool has_free_extent = std::find(target.begin(), target.end(), -1) != target.end();
    target[0] = has_free_extent ? 0 : -1;
    node.inputs[1] = builder_.add_int64s(node.name + ".opened_shape", target);
  }

  static bool is_same_type_cast(const Node& node, const GraphBuilder& builder, DataType to) {
    return node.op == "Cast" && builder.network().value(node.inputs[0]).type == to;
  }

  bool can_skip(const onnx::NodeProto& proto, const Node& node, const std::vector<std::optional<internal::InferredValue>>& values) const {
    if (node.inputs.empty() || node.inputs[0] == kNoValue || !values[0]) return false;
    std::vector<std::optional<ShapePair>> shapes;
    for (const auto& value : values) shapes.push_back(value ? std::optional(value->shapes) : std::nullopt);
    if (!internal::is_identity(builder_, node, shapes) && !is_same_type_cast(node, builder_, values[0]->type)) return false;
    // The mask of a Dropout exists in training alone; whoever reads it fails below, as reading a value that nothing makes.
    return !proto.output(0).empty();
  }

  Tensor constant_of(const Node& node) const {
    const auto& attributes = node.attributes;
    if (const auto found = attributes.find("value"); found != attributes.end()) return std::get<Tensor>(found->second);
    if (attributes.contains("value_float")) return Tensor::scalar(float_attribute(node, "value_float", 0));
    if (attributes.contains("value_int")) return Tensor::from<std::int64_t>({}, std::vector{int_attribute(node, "value_int", 0)});
    if (attributes.contains("value_ints")) return Tensor::int64s(ints_attribute(node, "value_ints", {}));
    if (const auto found = attributes.find("value_floats"); found != attributes.end()) {
      const auto& values = std::get<std::vector<float>>(found->second);
      return Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
    }
    throw UserError(Fault{.key = node.name, .expected = "Constant of strings or of a sparse tensor is not supported"});
  }

  ValueId id_of(const std::string& name, const std::string& reader) const {
    const auto found = ids_.find(name);
    if (found == ids_.end()) throw UserError(Fault{.key = reader, .expected = "reads '" + name + "', which nothing makes"});
    return found->second;
  }

  // The file's name; else that of its weight ("layer1.conv.weight" belongs to "layer1.conv"); else its operator and position.
  std::string name_of(const onnx::NodeProto& proto, int index) {
    if (!proto.name().empty()) return names_[static_cast<std::size_t>(index)];
    constexpr std::string_view kSuffix = ".weight";
    for (const std::string& input : proto.input()) {
      const auto found = ids_.find(input);
      if (found == ids_.end() || !builder_.network().is_constant(found->second)) continue;
      if (input.size() > kSuffix.size() && input.ends_with(kSuffix)) {
        return builder_.unique_node_name(input.substr(0, input.size() - kSuffix.size()));
      }
    }
    return builder_.unique_node_name(proto.op_type() + "_" + std::to_string(index));
  }

  // Outputs keep their names. A value that is an input, a constant or an output already gets an Identity of its own.
  void import_output(const std::string& name) {
    const ValueId id = id_of(name, "output " + name);
    Network& network = builder_.network();
    const auto is_listed = [&](const std::vector<ValueId>& ids) { return std::find(ids.begin(), ids.end(), id) != ids.end(); };
    if (network.value(id).name == name && !is_listed(network.outputs) && !is_listed(network.inputs)) {
      network.outputs.push_back(id);
      return;
    }
    const ValueId copy = builder_.add_value(name, network.value(id).type, builder_.shapes(id));
    if (!is_listed(network.inputs) && !is_listed(network.outputs) && !network.is_constant(id)) {
      // An Identity was taken out between this value and the output: the value takes over the output's name.
      std::swap(network.values[static_cast<std::size_t>(id)].name, network.values[static_cast<std::size_t>(copy)].name);
      network.outputs.push_back(id);
      return;
    }
    network.nodes.push_back({.name = builder_.unique_node_name("Identity_" + name), .op = "Identity", .inputs = {id}, .outputs = {copy}});
    network.outputs.push_back(copy);
  }

  const onnx::GraphProto& graph_;
  const internal::FourBitTensors& four_bit_;
  const int opset_;
  const std::int64_t opened_batch_;
  GraphBuilder builder_;
  std::vector<std::string> names_;      // of the nodes; empty where the file has none
  std::map<std::string, ValueId> ids_;  // by the file's names; several may share an id where an Identity was taken out
};

// Names that exporters give to every graph say less than the file's.
std::string network_name(const std::string& graph_name, const std::string& label) {
  for (const char* generic : {"", "graph", "main_graph", "torch_jit", "torch-jit-export", "tf2onnx"}) {
    if (graph_name == generic) return std::filesystem::path(label).stem().string();
  }
  return graph_name;
}

// The first extent of all inputs, where it is one and the same known number; else 0.
std::int64_t fixed_batch(const onnx::GraphProto& graph) {
  std::set<std::string> constants;
  for (const auto& tensor : graph.initializer()) constants.insert(tensor.name());
  std::int64_t batch = 0;
  for (const auto& input : graph.input()) {
    if (constants.contains(input.name())) continue;
    const auto& shape = input.type().tensor_type().shape();
    if (shape.dim_size() < 2 || shape.dim(0).dim_value() <= 0 || (batch != 0 && shape.dim(0).dim_value() != batch)) return 0;
    batch = shape.dim(0).dim_value();
  }
  return batch;
}

// Many files are exported with a batch of one. Where the network treats samples alike its batch is opened.
Network import(const internal::LoadedModel& loaded) {
  if (const std::int64_t batch = fixed_batch(loaded.model.graph()); batch > 0) {
    try {
      Network network = Importer(loaded, batch).run();
      const bool is_open = std::all_of(network.outputs.begin(), network.outputs.end(), [&](ValueId id) {
        const Shape& shape = network.value(id).shape;
        return !shape.empty() && shape[0] == kDynamic;
      });
      if (is_open && internal::computes_samples_alone(network, batch)) return network;
    } catch (const UserError&) {
      // Its shapes hold for the fixed batch alone; if something else is wrong, the second reading says so.
    }
  }
  return Importer(loaded, 0).run();
}

Network parse(const std::string& bytes, const std::string& label, const std::string& directory) {
  try {
    const internal::LoadedModel loaded = internal::load_model(bytes, directory);
    Network network = import(loaded);
    network.name = network_name(loaded.model.graph().name(), label);
    network.sha256 = sha256(bytes);
    validate(network);
    return network;
  } catch (const UserError& error) {
    std::vector<Fault> faults = error.faults();
    for (Fault& fault : faults) fault.file = label;
    throw UserError(std::move(faults));
  }
}

}  // namespace

Network parse_onnx(const std::string& bytes, const std::string& label) {
  return parse(bytes, label, "");
}

Network read_onnx(const std::string& path) {
  if (std::filesystem::is_directory(path)) throw UserError(Fault{.file = path, .expected = "is a folder, expected an ONNX file"});
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UserError(Fault{.file = path, .expected = std::string("cannot be read: ") + std::strerror(errno)});
  std::ostringstream bytes;
  bytes << file.rdbuf();
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parse(std::move(bytes).str(), path, parent.empty() ? "." : parent.string());
}

}  // namespace lathe::models
