#include "policies/exporters/nncf_exporter.h"

#include <nlohmann/json.hpp>

#include "policies/exporters/layer_table.h"
#include "policies/exporters/losses.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

constexpr int kWidestBits = 8;  // of the schema of NNCF's configuration

// "{re}" marks a regular expression. Each part of the path is the name in brackets at the end of a scope.
std::string scope_pattern(const std::string& module) {
  std::string pattern = "{re}.*";
  std::string part;
  const auto close = [&] {
    pattern += "\\[" + part + "\\]/";
    part.clear();
  };
  for (const char c : module) {
    if (c == '.') {
      close();
      pattern += "[^/]*";
    } else {
      if (std::string("()[]{}*+?|^$\\").find(c) != std::string::npos) part += '\\';
      part += c;
    }
  }
  close();
  return pattern + ".*";
}

json extents(const models::Network& network) {
  json inputs = json::array();
  for (const models::ValueId id : network.inputs) {
    models::Shape shape = network.value(id).shape;
    for (std::int64_t& extent : shape) extent = extent == models::kDynamic ? 1 : extent;
    inputs.push_back({{"sample_size", shape}});
  }
  return inputs;
}

class NncfExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{.name = "nncf",
                                      .opened_by = "nncf: create_compressed_model(model, NNCFConfig.from_json(PATH))",
                                      .tested_with = "nncf 2.17.0",
                                      .carries = "widths of weights and activations of every module, modules that stay float",
                                      .loses = "channels, widths above 8 bits, number formats other than integers"};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    json weights = json::object(), activations = json::object(), ignored = json::array();
    for (const LayerRow& row : layer_table(source.network, source.policy)) {
      const std::string scope = scope_pattern(row.module);
      const bool has_weights = row.has_integer_weights() && row.widths.weight_bits <= kWidestBits;
      const bool has_inputs = row.has_integer_inputs() && row.widths.activation_bits <= kWidestBits;
      if (has_weights) {
        weights[scope] = {
            {"bits", row.widths.weight_bits}, {"mode", "symmetric"}, {"per_channel", row.widths.weight_granularity == "channel"}};
      }
      if (has_inputs) activations[scope] = {{"bits", row.widths.activation_bits}, {"mode", "asymmetric"}, {"per_channel", false}};
      if (!has_weights && !has_inputs) ignored.push_back(scope);
    }
    const json document{{"input_info", extents(source.network)},
                        {"compression",
                         {{"algorithm", "quantization"},
                          {"ignored_scopes", ignored},
                          {"overflow_fix", "disable"},
                          {"scope_overrides", {{"weights", weights}, {"activations", activations}}}}}};
    return {.bytes = document.dump(1) + "\n", .notes = losses(source.policy, {.integer_weights = true, .widest_activation = kWidestBits})};
  }
};

}  // namespace

std::unique_ptr<Exporter> make_nncf_exporter() {
  return std::make_unique<NncfExporter>();
}

}  // namespace lathe::policies
