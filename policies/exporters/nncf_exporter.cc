#include "policies/exporters/nncf_exporter.h"

#include <algorithm>
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

// The width that all activations get, and the layers that wanted a narrower one.
struct ActivationWidth {
  int bits = 0;  // 0 = no layer reads integers
  std::vector<std::string> widened;
};
ActivationWidth widest_inputs(const std::vector<LayerRow>& rows) {
  ActivationWidth widest;
  const auto is_narrow = [](const LayerRow& row) { return row.has_integer_inputs() && row.widths.activation_bits <= kWidestBits; };
  for (const LayerRow& row : rows) {
    if (is_narrow(row)) widest.bits = std::max(widest.bits, row.widths.activation_bits);
  }
  for (const LayerRow& row : rows) {
    if (is_narrow(row) && row.widths.activation_bits < widest.bits) widest.widened.push_back(row.name);
  }
  return widest;
}

class NncfExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{
        .name = "nncf",
        .opened_by = "nncf: create_compressed_model(model, NNCFConfig.from_json(PATH))",
        .tested_with = "nncf 2.17.0",
        .carries = "widths of the weights of every module, one width of activations, modules that stay float",
        .loses = "channels, different widths of activations, widths above 8 bits, number formats other than integers"};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    const std::vector<LayerRow> rows = layer_table(source.network, source.policy);
    json weights = json::object(), ignored = json::array();
    for (const LayerRow& row : rows) {
      const std::string scope = scope_pattern(row.module);
      if (row.has_integer_weights() && row.widths.weight_bits <= kWidestBits) {
        weights[scope] = {
            {"bits", row.widths.weight_bits}, {"mode", "symmetric"}, {"per_channel", row.widths.weight_granularity == "channel"}};
      } else if (!row.has_integer_inputs()) {
        ignored.push_back(scope);
      }
    }
    json quantization{{"algorithm", "quantization"},
                      {"ignored_scopes", ignored},
                      {"overflow_fix", "disable"},
                      {"scope_overrides", {{"weights", weights}}}};
    const ActivationWidth inputs = widest_inputs(rows);
    if (inputs.bits > 0) quantization["activations"] = {{"bits", inputs.bits}, {"mode", "asymmetric"}, {"per_channel", false}};
    // TRIAL: no target's table of widths, which would allow 8 bits alone.
    const json document{{"input_info", extents(source.network)}, {"target_device", "TRIAL"}, {"compression", quantization}};
    Export result{.bytes = document.dump(1) + "\n",
                  .notes = losses(source.policy, {.integer_weights = true, .widest_activation = kWidestBits})};
    if (!inputs.widened.empty())
      result.notes.push_back(named(inputs.widened) + ": activations get the widest layer's " + std::to_string(inputs.bits) +
                             " bits, since NNCF has one width for all of them");
    return result;
  }
};

}  // namespace

std::unique_ptr<Exporter> make_nncf_exporter() {
  return std::make_unique<NncfExporter>();
}

}  // namespace lathe::policies
