#include "policies/exporters/nni_exporter.h"

#include <nlohmann/json.hpp>

#include "policies/exporters/layer_table.h"
#include "policies/exporters/losses.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

json quantization_entry(const LayerRow& row) {
  json targets = json::object();
  if (row.has_integer_weights()) {
    targets["weight"] = {{"quant_dtype", "int" + std::to_string(row.widths.weight_bits)},
                         {"quant_scheme", "symmetric"},
                         {"granularity", row.widths.weight_granularity == "channel" ? "out_channel" : "default"}};
  }
  if (row.has_integer_inputs()) {
    targets["_input_"] = {
        {"quant_dtype", "uint" + std::to_string(row.widths.activation_bits)}, {"quant_scheme", "affine"}, {"granularity", "default"}};
  }
  json names = json::array();
  for (const auto& [name, setting] : targets.items()) names.push_back(name);
  return {{"op_names", {row.module}}, {"target_names", names}, {"target_settings", targets}};
}

class NniExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{.name = "nni",
                                      .opened_by = "nni.compression: config_list of a pruner (key pruning) or quantizer (key quantization)",
                                      .tested_with = "nni 3.0",
                                      .carries = "the share of output channels that each module loses; widths of its weight and input",
                                      .loses = "which channels stay; number formats other than integers"};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    json pruning = json::array(), quantization = json::array();
    for (const LayerRow& row : layer_table(source.network, source.policy)) {
      if (row.is_cut()) {
        const double kept = static_cast<double>(row.kept_out_channels) / static_cast<double>(row.out_channels);
        pruning.push_back({{"op_names", {row.module}}, {"sparse_ratio", 1 - kept}});
      }
      if (row.has_integer_weights() || row.has_integer_inputs()) quantization.push_back(quantization_entry(row));
    }
    const json document{{"pruning", pruning}, {"quantization", quantization}};
    return {.bytes = document.dump(1) + "\n",
            .notes = losses(source.policy, {.channels = true, .integer_weights = true, .widest_activation = 16})};
  }
};

}  // namespace

std::unique_ptr<Exporter> make_nni_exporter() {
  return std::make_unique<NniExporter>();
}

}  // namespace lathe::policies
