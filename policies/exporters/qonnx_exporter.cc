#include "policies/exporters/qonnx_exporter.h"

#include "models/onnx_writer.h"
#include "policies/exporters/lift_from_qdq.h"
#include "policies/exporters/losses.h"
#include "policies/fresh_names.h"
#include "policies/quantize_network.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;
using models::Tensor;

constexpr const char* kQonnxDomain = "qonnx.custom_op.general";

// Scales along `axis` of a tensor of this rank, as they broadcast: [c] becomes [c, 1, 1, 1].
Tensor broadcast_along(const std::vector<float>& scale, std::int64_t axis, std::size_t rank) {
  if (axis < 0) return Tensor::scalar(scale[0]);
  models::Shape shape(rank, 1);
  shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(scale.size());
  return Tensor::from<float>(shape, scale);
}

void turn_into_quant(Network& network, Node& node, FreshNames& names) {
  const QuantizationParameters parameters = parameters_of(network, node);
  const bool is_signed = parameters.quant_min < 0;
  const auto bits = static_cast<float>(models::int_attribute(node, "bits", 8));
  const std::size_t rank = network.value(node.inputs[0]).shape.size();
  const Tensor scale = broadcast_along(parameters.scale, models::int_attribute(node, "axis", -1), rank);
  node.op = "Quant";
  node.domain = kQonnxDomain;
  // Weights are symmetric, activations have one zero point.
  node.inputs = {node.inputs[0], network.add_constant(names.next(), scale),
                 network.add_constant(names.next(), Tensor::scalar(static_cast<float>(parameters.zero_point[0]))),
                 network.add_constant(names.next(), Tensor::scalar(bits))};
  node.attributes = {{"signed", std::int64_t{is_signed}}, {"narrow", std::int64_t{is_signed}}, {"rounding_mode", std::string("ROUND")}};
}

class QonnxExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{.name = "qonnx",
                                      .opened_by = "qonnx (ModelWrapper), FINN, hls4ml, Brevitas users",
                                      .tested_with = "qonnx 1.0.0",
                                      .carries = "the whole compressed network with Quant nodes of any width, 16-bit weights included",
                                      .loses = "float formats and pow2 are rounded values without a width; 16-bit activations stay float",
                                      .needs_delivered = true};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    Network network = lift_from_qdq(source.network, source.policy);
    FreshNames names(network);
    for (Node& node : network.nodes) {
      if (node.op == "FakeQuantize" && node.domain == models::kLatheDomain) turn_into_quant(network, node, names);
    }
    return {
        .bytes = models::serialize_onnx(models::without_dead_nodes(std::move(network))),
        .notes = losses(source.policy, {.channels = true, .integer_weights = true, .widest_activation = 8, .compressed_network = true})};
  }
};

}  // namespace

std::unique_ptr<Exporter> make_qonnx_exporter() {
  return std::make_unique<QonnxExporter>();
}

}  // namespace lathe::policies
