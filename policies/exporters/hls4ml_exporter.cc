#include "policies/exporters/hls4ml_exporter.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "models/onnx_writer.h"
#include "models/operators.h"
#include "policies/exporters/lift_from_qdq.h"
#include "policies/exporters/losses.h"
#include "policies/exporters/tensor_encodings.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

// Bits before the binary point (the sign's among them) that hold magnitudes up to `largest`: the least I with largest <= 2^(I - sign).
int integer_bits(double largest, bool is_signed) {
  return largest > 0 ? static_cast<int>(std::ceil(std::log2(largest))) + (is_signed ? 1 : 0) : 1;
}

std::string fixed_point(int bits, double low, double high) {
  const bool is_signed = low < 0;
  return std::string(is_signed ? "fixed<" : "ufixed<") + std::to_string(bits) + "," +
         std::to_string(integer_bits(std::max(std::abs(low), high), is_signed)) + ",RND_CONV,SAT>";
}

// [rows, columns] -> [columns, rows]
models::Tensor transpose(const models::Tensor& matrix) {
  const std::int64_t rows = matrix.shape()[0], columns = matrix.shape()[1];
  const auto values = matrix.values<float>();
  std::vector<float> result;
  for (std::int64_t column = 0; column < columns; ++column) {
    for (std::int64_t row = 0; row < rows; ++row) result.push_back(values[static_cast<std::size_t>(row * columns + column)]);
  }
  return models::Tensor::from<float>({columns, rows}, result);
}

// hls4ml names layers by identifiers, loses operands whose names are none, and keeps "input" for itself.
std::string identifier(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c) && c != '_'; }, '_');
  return name == "input" ? "network_input" : name;
}

void rename_all(EncodedNetwork& encoded) {
  for (models::Value& value : encoded.network.values) value.name = identifier(value.name);
  for (models::Node& node : encoded.network.nodes) node.name = identifier(node.name);
  for (TensorEncoding& encoding : encoded.encodings) {
    encoding.tensor = identifier(encoding.tensor);
    encoding.node = identifier(encoding.node);
  }
}

// Types of activations by the layer that makes them. hls4ml has one type a tensor: of several widths the widest stays.
class ActivationTypes {
 public:
  explicit ActivationTypes(const models::Network& network) : network_(network), producers_(models::producers(network)) {}

  void add(const TensorEncoding& encoding) {
    const std::string layer = maker_of(encoding);
    const auto [widest, is_new] = widest_.try_emplace(layer, &encoding);
    if (!is_new && widest->second->bits != encoding.bits) narrowed_.insert(layer);
    if (encoding.bits > widest->second->bits) widest->second = &encoding;
  }

  std::map<std::string, std::string> types() const {
    std::map<std::string, std::string> types;
    for (const auto& [layer, encoding] : widest_) {
      const QuantizationParameters& parameters = encoding->parameters;
      const double scale = parameters.scale[0], zero_point = parameters.zero_point[0];
      types[layer] = fixed_point(encoding->bits, -scale * zero_point, scale * (parameters.quant_max - zero_point));
    }
    return types;
  }

  std::vector<std::string> notes() const {
    if (narrowed_.empty()) return {};
    return {named({narrowed_.begin(), narrowed_.end()}) + ": read at several widths, of which hls4ml holds the widest"};
  }

 private:
  // Identity nodes, which keep the widths of several readers apart, are no layers to hls4ml.
  std::string maker_of(const TensorEncoding& encoding) const {
    std::string name = encoding.node.empty() ? encoding.tensor : encoding.node;
    for (const models::Node& node : network_.nodes) {
      if (node.name != name || node.op != "Identity") continue;
      const int producer = producers_[static_cast<std::size_t>(node.inputs[0])];
      name = producer < 0 ? network_.value(node.inputs[0]).name : network_.nodes[static_cast<std::size_t>(producer)].name;
      break;
    }
    return name;
  }

  const models::Network& network_;
  std::vector<int> producers_;
  std::map<std::string, const TensorEncoding*> widest_;
  std::set<std::string> narrowed_;
};

std::string weight_type(const models::Tensor& weight, int bits) {
  const std::vector<float> values = weight.to_floats();
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  const double largest = std::max(std::abs(*low), std::abs(*high));
  return fixed_point(bits, -largest, largest);
}

// What keeps the readers of one tensor apart is of no use where a tensor has one type.
models::Network without_identities(models::Network network) {
  std::map<models::ValueId, models::ValueId> replaced;
  std::vector<models::Node> nodes;
  for (models::Node& node : network.nodes) {
    for (models::ValueId& input : node.inputs) {
      if (const auto found = replaced.find(input); found != replaced.end()) input = found->second;
    }
    if (node.op == "Identity")
      replaced[node.outputs[0]] = node.inputs[0];
    else
      nodes.push_back(std::move(node));
  }
  network.nodes = std::move(nodes);
  return network;
}

bool is_plain_gemm(const models::Network& network, const models::Node& node) {
  if (node.op != "Gemm" || !network.is_constant(node.inputs[1])) return false;
  const models::GemmAttributes gemm = models::gemm_attributes(node);
  return gemm.alpha == 1 && gemm.beta == 1 && !gemm.transpose_a;
}

// hls4ml knows MatMul and Add, not Gemm. The product keeps the layer's name.
models::Network without_gemm(models::Network network) {
  std::vector<models::Node> nodes;
  for (models::Node& node : network.nodes) {
    if (!is_plain_gemm(network, node)) {
      nodes.push_back(std::move(node));
      continue;
    }
    if (models::gemm_attributes(node).transpose_b) {
      const models::Tensor transposed = transpose(network.constants.at(node.inputs[1]));
      network.constants.insert_or_assign(node.inputs[1], transposed);
      network.values[static_cast<std::size_t>(node.inputs[1])].shape = transposed.shape();
    }
    const models::ValueId output = node.outputs[0];
    const bool has_bias = node.inputs.size() > 2 && node.inputs[2] != models::kNoValue;
    const models::ValueId product =
        has_bias ? network.add_value({.name = node.name + "_product", .shape = network.value(output).shape}) : output;
    nodes.push_back({.name = node.name,
                     .op = "MatMul",
                     .domain = "",
                     .inputs = {node.inputs[0], node.inputs[1]},
                     .outputs = {product},
                     .attributes = {}});
    if (has_bias)
      nodes.push_back({.name = node.name + "_sum",
                       .op = "Add",
                       .domain = "",
                       .inputs = {product, node.inputs[2]},
                       .outputs = {output},
                       .attributes = {}});
  }
  network.nodes = std::move(nodes);
  return network;
}

class Hls4mlExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{
        .name = "hls4ml",
        .opened_by = "hls4ml: hls_config of convert_from_onnx_model(PATH's .onnx)",
        .tested_with = "hls4ml 1.3.0",
        .carries = "fixed-point types of weights and activations by layer, of the policy's widths; the cut and trained float network",
        .loses = "scales by channel and zero points (one power of two a tensor), several widths of one tensor; formats other than integers",
        .needs_delivered = true};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    EncodedNetwork encoded = split_encodings(lift_from_qdq(source.network, source.policy));
    rename_all(encoded);
    ActivationTypes activations(encoded.network);
    for (const TensorEncoding& encoding : encoded.encodings) {
      if (!encoding.is_weight) activations.add(encoding);
    }
    const models::Network network = models::without_dead_nodes(without_gemm(without_identities(encoded.network)));
    json layers = json::object();
    for (const auto& [layer, type] : activations.types()) layers[layer]["Precision"]["result"] = type;
    for (const models::Node& node : network.nodes) {
      for (const models::ValueId input : node.inputs) {
        const auto encoding = std::find_if(encoded.encodings.begin(), encoded.encodings.end(), [&](const TensorEncoding& candidate) {
          return input != models::kNoValue && candidate.is_weight && candidate.tensor == network.value(input).name;
        });
        if (encoding == encoded.encodings.end()) continue;
        layers[node.name]["Precision"]["weight"] = weight_type(network.constants.at(input), encoding->bits);
      }
    }
    const json document{{"Model", {{"Precision", "fixed<16,6>"}, {"ReuseFactor", 1}, {"Strategy", "Latency"}}}, {"LayerName", layers}};
    Export result{
        .bytes = document.dump(1) + "\n",
        .companions = {{".onnx", models::serialize_onnx(network)}},
        .notes = losses(source.policy, {.channels = true, .integer_weights = true, .widest_activation = 8, .compressed_network = true})};
    for (const std::string& note : activations.notes()) result.notes.push_back(note);
    return result;
  }
};

}  // namespace

std::unique_ptr<Exporter> make_hls4ml_exporter() {
  return std::make_unique<Hls4mlExporter>();
}

}  // namespace lathe::policies
