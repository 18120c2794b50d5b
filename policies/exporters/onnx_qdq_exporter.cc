#include "policies/exporters/onnx_qdq_exporter.h"

#include "models/onnx_writer.h"
#include "policies/exporters/lift_from_qdq.h"

namespace lathe::policies {
namespace {

class OnnxQdqExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{
        .name = "onnx_qdq",
        .opened_by = "ONNX Runtime, OpenVINO; TensorRT where every activation's zero point is 0",
        .tested_with = "onnxruntime 1.20.1, onnx 1.17.0, openvino 2025.4.1",
        .carries = "the whole compressed network: cut, trained, calibrated",
        .loses =
            "widths below 8 bits are kept by clipping and shrink the file with delivery.integer_types: int4 alone; "
            "16-bit activations stay float",
        .needs_delivered = true};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    lift_from_qdq(source.network, source.policy);  // throws where the file is not the policy's
    return {.bytes = models::serialize_onnx(source.network)};
  }
};

}  // namespace

std::unique_ptr<Exporter> make_onnx_qdq_exporter() {
  return std::make_unique<OnnxQdqExporter>();
}

}  // namespace lathe::policies
