#include "policies/exporters/nni_exporter.h"

#include <nlohmann/json.hpp>

#include "policies/exporters/layer_table.h"
#include "policies/exporters/losses.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

json entry(const std::string& module, const std::string& target, const std::string& type, const std::string& scheme,
           const std::string& granularity) {
  return {
      {"op_names", {module}}, {"target_names", {target}}, {"quant_dtype", type}, {"quant_scheme", scheme}, {"granularity", granularity}};
}

void add_entries(const LayerRow& row, json& quantization) {
  const LayerPolicy& widths = row.widths;
  if (row.has_integer_weights()) {
    quantization.push_back(entry(row.module, "weight", "int" + std::to_string(widths.weight_bits), "symmetric",
                                 widths.weight_granularity == "channel" ? "out_channel" : "default"));
  }
  if (row.has_integer_inputs())
    quantization.push_back(entry(row.module, "_input_", "uint" + std::to_string(widths.activation_bits), "affine", "default"));
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
      add_entries(row, quantization);
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
