#include "policies/exporters/json_exporter.h"

#include <nlohmann/json.hpp>

#include "policies/exporters/layer_table.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

json layer_json(const LayerRow& row) {
  const LayerPolicy& widths = row.widths;
  json layer{{"name", row.name},
             {"module", row.module},
             {"op", row.op},
             {"in_channels", row.in_channels},
             {"out_channels", row.out_channels},
             {"kept_in_channels", row.kept_in_channels},
             {"kept_out_channels", row.kept_out_channels},
             {"macs", row.macs},
             {"kept_macs", row.kept_macs},
             {"parameters", row.parameters},
             {"kept_parameters", row.kept_parameters},
             {"weight_bits", widths.weight_bits},
             {"weight_format", widths.weight_format},
             {"weight_granularity", widths.weight_granularity},
             {"activation_bits", widths.activation_bits},
             {"activation_format", widths.activation_format},
             {"dynamic", widths.dynamic},
             {"sparsity", widths.sparsity},
             {"pattern", widths.pattern}};
  if (row.is_cut()) layer["kept_outputs"] = row.kept_outputs;
  return layer;
}

class JsonExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{.name = "json",
                                      .opened_by = "anything that reads JSON",
                                      .tested_with = "Python json",
                                      .carries = "channels, widths and formats of every layer, before and after; metrics",
                                      .loses = ""};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    json layers = json::array();
    for (const LayerRow& row : layer_table(source.network, source.policy)) layers.push_back(layer_json(row));
    const json document{{"format", "lathe.layers"},
                        {"version", 1},
                        {"model", {{"name", source.network.name}, {"sha256", source.network.sha256}}},
                        {"layers", layers},
                        {"metrics", to_json(source.policy)["metrics"]}};
    return {.bytes = document.dump(1) + "\n"};
  }
};

}  // namespace

std::unique_ptr<Exporter> make_json_exporter() {
  return std::make_unique<JsonExporter>();
}

}  // namespace lathe::policies
