#include "policies/exporters/torch_pruning_exporter.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "policies/exporters/layer_table.h"
#include "policies/exporters/losses.h"

namespace lathe::policies {
namespace {

using nlohmann::json;

// 1 - kept / channels, or the nearest smaller number from which Torch-Pruning's arithmetic gives `kept` back.
double pruning_ratio(std::int64_t kept, std::int64_t channels) {
  const auto n = static_cast<double>(channels);
  double ratio = 1 - static_cast<double>(kept) / n;
  while (static_cast<std::int64_t>(n * (1 - ratio)) < kept) ratio = std::nextafter(ratio, 0);
  return ratio;
}

class TorchPruningExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{
        .name = "torch_pruning",
        .opened_by = "torch_pruning: pruning_ratio_dict of a pruner, with modules = dict(model.named_modules())",
        .tested_with = "torch-pruning 1.6.1",
        .carries = "the share of channels that each module loses, and the indices of those that stay",
        .loses = "widths"};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    json ratios = json::object(), kept = json::object(), channels = json::object();
    for (const LayerRow& row : layer_table(source.network, source.policy)) {
      channels[row.module] = {row.out_channels, row.kept_out_channels};
      if (!row.is_cut()) continue;
      ratios[row.module] = pruning_ratio(row.kept_out_channels, row.out_channels);
      kept[row.module] = row.kept_outputs;
    }
    const json document{{"pruning_ratio_dict", ratios}, {"kept_channels", kept}, {"channels_before_and_after", channels}};
    return {.bytes = document.dump(1) + "\n", .notes = losses(source.policy, {.channels = true})};
  }
};

}  // namespace

std::unique_ptr<Exporter> make_torch_pruning_exporter() {
  return std::make_unique<TorchPruningExporter>();
}

}  // namespace lathe::policies
