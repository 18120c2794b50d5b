#include "models/internal/model_file.h"

#include <google/protobuf/stubs/logging.h>
#include <onnx/checker.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "models/base/error.h"
#include "models/internal/onnx_proto.h"
#include "models/supported_operators.h"

namespace lathe::models::internal {
namespace {

constexpr int kNewestKnownOpset = 17;  // to libonnx 1.12; newer files are rewritten for it

onnx::ModelProto parse(const std::string& bytes) {
  // Protobuf writes parse errors to stderr of its own accord; ours says it.
  const google::protobuf::LogSilencer silencer;
  onnx::ModelProto model;
  if (bytes.empty()) throw UserError(Fault{.expected = "the file is empty"});
  if (!model.ParseFromString(bytes) || model.ir_version() <= 0) throw UserError(Fault{.expected = "not an ONNX file, or a truncated one"});
  if (!model.has_graph()) throw UserError(Fault{.expected = "the ONNX file has no graph"});
  return model;
}

void check_opset(const onnx::ModelProto& model) {
  const int opset = opset_of(model);
  if (opset >= kOldestOpset && opset <= kNewestOpset) return;
  throw UserError(Fault{.expected = "opset " + std::to_string(opset) + " is not supported; export the network again with an opset from " +
                                    std::to_string(kOldestOpset) + " to " + std::to_string(kNewestOpset)});
}

void check_operators(const onnx::ModelProto& model) {
  struct Missing {
    std::string node;
    int count = 0;
  };
  std::map<std::string, Missing> missing;
  for (const onnx::NodeProto& node : model.graph().node()) {
    const bool is_standard = node.domain().empty() || node.domain() == "ai.onnx";
    if (is_standard && is_supported_operator(node.op_type())) continue;
    const std::string op = is_standard ? node.op_type() : node.domain() + "." + node.op_type();
    Missing& entry = missing[op];
    if (entry.count++ > 0) continue;
    entry.node = !node.name().empty() ? node.name() : node.output_size() > 0 ? "node that makes " + node.output(0) : "unnamed node";
  }
  std::vector<Fault> faults;
  for (const auto& [op, entry] : missing) {
    const std::string others = entry.count > 1 ? " (" + std::to_string(entry.count) + " nodes)" : "";
    faults.push_back({.key = entry.node, .expected = "operator " + op + " is not supported" + others});
  }
  if (!faults.empty()) throw UserError(std::move(faults));
}

// Reads the bytes of a tensor that lie in a file beside the model into the tensor.
void read_external(onnx::TensorProto& tensor, const std::string& directory) {
  std::map<std::string, std::string> entries;
  for (const auto& entry : tensor.external_data()) entries[entry.key()] = entry.value();
  const std::filesystem::path location = entries["location"];
  const auto fail = [&](const std::string& what) -> void {
    throw UserError(Fault{.key = "tensor " + tensor.name(), .expected = "external data '" + location.string() + "' " + what});
  };
  const bool leaves_folder = std::any_of(location.begin(), location.end(), [](const auto& part) { return part == ".."; });
  if (directory.empty() || location.empty() || location.is_absolute() || leaves_folder) fail("is not in the folder of the model");

  std::ifstream file(std::filesystem::path(directory) / location, std::ios::binary);
  if (!file) fail("cannot be read");
  const auto number = [&](const std::string& key, std::int64_t otherwise) {
    const auto found = entries.find(key);
    if (found == entries.end()) return otherwise;
    try {
      return static_cast<std::int64_t>(std::stoll(found->second));
    } catch (const std::exception&) {
      fail("has no legal " + key);
      return otherwise;
    }
  };
  file.seekg(0, std::ios::end);
  const std::int64_t file_size = file.tellg(), offset = number("offset", 0), length = number("length", file_size - offset);
  if (offset < 0 || length < 0 || offset > file_size || length > file_size - offset) fail("is too short");
  std::string bytes(static_cast<std::size_t>(length), '\0');
  file.seekg(offset);
  if (!file.read(bytes.data(), length)) fail("cannot be read");
  tensor.set_raw_data(std::move(bytes));
  tensor.clear_external_data();
  tensor.clear_data_location();
}

// SAME_* says what comes out of a pooling, so that ceil_mode has nothing left to round; shape inference takes it seriously all the same.
void drop_idle_ceil_mode(onnx::NodeProto& node) {
  const bool is_same = std::any_of(node.attribute().begin(), node.attribute().end(),
                                   [](const auto& a) { return a.name() == "auto_pad" && a.s().rfind("SAME", 0) == 0; });
  if (!is_same) return;
  auto* attributes = node.mutable_attribute();
  for (int i = attributes->size(); i-- > 0;) {
    if (attributes->Get(i).name() == "ceil_mode") attributes->DeleteSubrange(i, 1);
  }
}

// The checker looks at fields that say nothing where an exporter leaves them out; give them what they mean.
void mend_harmless_gaps(onnx::ModelProto& model) {
  if (model.ir_version() > kNewestIrVersion) model.set_ir_version(kNewestIrVersion);
  for (auto& opset : *model.mutable_opset_import()) {
    if (opset.domain() == "ai.onnx") opset.set_domain("");
  }
  onnx::GraphProto& graph = *model.mutable_graph();
  if (graph.name().empty()) graph.set_name("graph");
  for (auto& node : *graph.mutable_node()) {
    if (node.domain() == "ai.onnx") node.set_domain("");
    drop_idle_ceil_mode(node);
  }
  // Shapes of outputs and inner values are inferred, so what the file says of them is not needed, and is wrong in some files.
  graph.clear_value_info();
  for (auto& output : *graph.mutable_output()) {
    if (output.type().value_case() == onnx::TypeProto::kTensorType) output.mutable_type()->mutable_tensor_type()->mutable_shape();
  }
}

}  // namespace

int opset_of(const onnx::ModelProto& model) {
  int opset = 0;
  for (const auto& entry : model.opset_import()) {
    if (entry.domain().empty() || entry.domain() == "ai.onnx") opset = static_cast<int>(entry.version());
  }
  return opset;
}

LoadedModel load_model(const std::string& bytes, const std::string& directory) {
  LoadedModel loaded{.model = parse(bytes), .four_bit = {}};
  onnx::ModelProto& model = loaded.model;
  check_opset(model);
  check_operators(model);
  mend_harmless_gaps(model);
  for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.data_location() == onnx::TensorProto::EXTERNAL) read_external(tensor, directory);
  }
  const int opset = opset_of(model);
  if (opset > kNewestKnownOpset) loaded.four_bit = lower_to_opset_17(model);
  try {
    onnx::checker::check_model(model);
  } catch (const std::exception& error) {
    const std::string as = opset > kNewestKnownOpset ? " (read as opset " + std::to_string(kNewestKnownOpset) + ")" : "";
    throw UserError(Fault{.expected = "the ONNX checker refuses it" + as + ": " + one_line(error.what())});
  }
  return loaded;
}

}  // namespace lathe::models::internal
