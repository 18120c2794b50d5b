#include "policies/exporters/aimet_exporter.h"

#include <nlohmann/json.hpp>

#include "models/onnx_writer.h"
#include "policies/exporters/lift_from_qdq.h"
#include "policies/exporters/losses.h"
#include "policies/exporters/tensor_encodings.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

json encoding_json(const TensorEncoding& encoding) {
  const QuantizationParameters& parameters = encoding.parameters;
  const bool is_symmetric = parameters.quant_min < 0;
  std::vector<int> offset;
  for (const std::int32_t zero_point : parameters.zero_point) offset.push_back(is_symmetric ? -(1 << (encoding.bits - 1)) : -zero_point);
  return {{"name", encoding.tensor}, {"dtype", "INT"},
          {"bw", encoding.bits},     {"enc_type", encoding.axis < 0 ? "PER_TENSOR" : "PER_CHANNEL"},
          {"is_sym", is_symmetric},  {"scale", parameters.scale},
          {"offset", offset}};
}

class AimetExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{
        .name = "aimet",
        .opened_by = "aimet_onnx: QuantizationSimModel of PATH's .onnx, then load_encodings_to_sim(sim, PATH)",
        .tested_with = "aimet-onnx 2.42.0",
        .carries = "width, scale and offset of every quantized weight and activation; the cut and trained float network beside them",
        .loses = "formats other than integers (their values stay in the network); 16-bit activations stay float",
        .needs_delivered = true};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    const EncodedNetwork encoded = split_encodings(lift_from_qdq(source.network, source.policy));
    json activations = json::array(), parameters = json::array();
    for (const TensorEncoding& encoding : encoded.encodings)
      (encoding.is_weight ? parameters : activations).push_back(encoding_json(encoding));
    const json document{{"version", "1.0.0"},
                        {"activation_encodings", activations},
                        {"param_encodings", parameters},
                        {"excluded_layers", json::array()},
                        {"quantizer_args", json::object()},
                        {"producer", "lathe"}};
    return {
        .bytes = document.dump(1) + "\n",
        .companions = {{".onnx", models::serialize_onnx(encoded.network)}},
        .notes = losses(source.policy, {.channels = true, .integer_weights = true, .widest_activation = 8, .compressed_network = true})};
  }
};

}  // namespace

std::unique_ptr<Exporter> make_aimet_exporter() {
  return std::make_unique<AimetExporter>();
}

}  // namespace lathe::policies
