#include "policies/exporters/packed_exporter.h"

#include "policies/packed_file.h"

namespace lathe::policies {
namespace {

class PackedExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{.name = "packed",
                                      .opened_by = "scripts/unpack.py, which writes the ONNX file or NumPy arrays",
                                      .tested_with = "numpy 2.2.6, onnx 1.17.0",
                                      .carries = "the whole compressed network, weights at their widths and without their zeros",
                                      .loses = "",
                                      .needs_delivered = true};
    return kFormat;
  }

  Export write(const ExportSource& source) const override { return {.bytes = pack_network(source.network, source.policy).bytes}; }
};

}  // namespace

std::unique_ptr<Exporter> make_packed_exporter() {
  return std::make_unique<PackedExporter>();
}

}  // namespace lathe::policies
