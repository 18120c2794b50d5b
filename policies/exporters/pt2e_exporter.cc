#include "policies/exporters/pt2e_exporter.h"

#include <nlohmann/json.hpp>

#include "policies/exporters/layer_table.h"
#include "policies/exporters/losses.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

constexpr int kByteBits = 8;

// Symmetric, without the lowest level, as Lathe's weights.
json weight_spec(const LayerPolicy& widths) {
  const int largest = (1 << (widths.weight_bits - 1)) - 1;
  json spec{{"dtype", widths.weight_bits <= kByteBits ? "int8" : "int16"}, {"quant_min", -largest}, {"quant_max", largest}};
  if (widths.weight_granularity == "channel") {
    spec["qscheme"] = "per_channel_symmetric";
    spec["ch_axis"] = 0;  // of a PyTorch weight: [out, in, ...]
  } else {
    spec["qscheme"] = "per_tensor_symmetric";
  }
  return spec;
}

json input_spec(const LayerPolicy& widths) {
  return {{"dtype", widths.activation_bits <= kByteBits ? "uint8" : "uint16"},
          {"quant_min", 0},
          {"quant_max", (1 << widths.activation_bits) - 1},
          {"qscheme", "per_tensor_affine"}};
}

class Pt2eExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{
        .name = "pt2e",
        .opened_by = "PyTorch 2 export quantization: a Quantizer that annotates by module (docs/exporting.md)",
        .tested_with = "torch 2.7.1",
        .carries = "widths of the weight and the input of every module as quantization specs",
        .loses = "channels, number formats other than integers"};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    json modules = json::object();
    for (const LayerRow& row : layer_table(source.network, source.policy)) {
      json module = json::object();
      if (row.has_integer_weights()) module["weight"] = weight_spec(row.widths);
      if (row.has_integer_inputs()) module["input_activation"] = input_spec(row.widths);
      if (!module.empty()) modules[row.module] = module;
    }
    const json document{{"format", "lathe.pt2e"}, {"version", 1}, {"modules", modules}};
    return {.bytes = document.dump(1) + "\n", .notes = losses(source.policy, {.integer_weights = true, .widest_activation = 16})};
  }
};

}  // namespace

std::unique_ptr<Exporter> make_pt2e_exporter() {
  return std::make_unique<Pt2eExporter>();
}

}  // namespace lathe::policies
