#include "policies/exporters/torchao_exporter.h"

#include <nlohmann/json.hpp>

#include "models/base/error.h"
#include "policies/exporters/layer_table.h"
#include "policies/exporters/losses.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

constexpr int kWidestBits = 8;  // torch.int1 to torch.int8

json torch_type(const std::string& name) {
  return {{"_type", "torch.dtype"}, {"_data", name}};
}

json weight_config(const LayerPolicy& widths) {
  const json granularity = widths.weight_granularity == "channel"
                               ? json{{"_type", "PerAxis"}, {"_version", 1}, {"_data", {{"axis", 0}}}}
                               : json{{"_type", "PerTensor"}, {"_version", 1}, {"_data", json::object()}};
  return {{"_type", "IntxWeightOnlyConfig"},
          {"_version", 1},
          {"_data",
           {{"weight_dtype", torch_type("int" + std::to_string(widths.weight_bits))},
            {"granularity", granularity},
            {"mapping_type", {{"_type", "MappingType"}, {"_data", "SYMMETRIC"}}}}}};
}

class TorchaoExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{.name = "torchao",
                                      .opened_by = "torchao: quantize_(model, config_from_dict(json), filter_fn=None)",
                                      .tested_with = "torchao 0.13.0",
                                      .carries = "widths of the weights of linear modules",
                                      .loses = "channels, convolutions, activations, number formats other than integers"};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    json modules = json::object();
    std::vector<std::string> convolutions;
    for (const LayerRow& row : layer_table(source.network, source.policy)) {
      const bool is_linear = row.op == "Gemm" || row.op == "MatMul";
      if (!row.has_integer_weights()) continue;
      if (!is_linear)
        convolutions.push_back(row.name);
      else if (row.widths.weight_bits <= kWidestBits)
        modules[row.module] = weight_config(row.widths);
    }
    if (modules.empty())
      throw UserError(
          "torchao quantizes linear layers only, and this policy gives none of them at most 8 bits; the format pt2e has convolutions too");
    const json document{{"_type", "ModuleFqnToConfig"}, {"_version", 1}, {"_data", {{"module_fqn_to_config", modules}}}};
    Export result{.bytes = document.dump(1) + "\n", .notes = losses(source.policy, {.integer_weights = true})};
    if (!convolutions.empty()) result.notes.push_back(named(convolutions) + ": convolutions are left out");
    return result;
  }
};

}  // namespace

std::unique_ptr<Exporter> make_torchao_exporter() {
  return std::make_unique<TorchaoExporter>();
}

}  // namespace lathe::policies
