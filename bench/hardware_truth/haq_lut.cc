// A user's look-up table (HAQ's, of a simulator): layers left out, all of one shape at a time, are interpolated from the others.
#include <cmath>
#include <map>

#include "bench/hardware_truth/sections.h"
#include "bench/measurements/statistics.h"
#include "hwmodels/latency_table.h"

namespace lathe::bench {

SectionResult haq_lut(const DataFolder& folder) {
  using hwmodels::LatencyTable;
  const LatencyTable table = hwmodels::read_latency_table(folder.find("haq_lut/haq_mobilenetv2_dev.csv").string());
  SectionResult result;
  std::map<std::string, std::vector<double>> errors;
  int covered = 0, missing = 0;
  for (const auto& [shape, entries] : table.entries()) {
    LatencyTable others = table;
    others.remove(shape);
    const std::string kind = shape.is_depthwise() ? "depthwise" : shape.kernel == 1 ? "pointwise" : "other";
    bool is_covered = true;
    for (const LatencyTable::Entry& entry : entries) {
      const std::optional<double> latency = others.latency(shape, entry.weight_bits, entry.activation_bits);
      is_covered = latency.has_value();
      if (!is_covered) break;
      errors[kind].push_back(std::abs(*latency / entry.latency - 1));
      errors["all"].push_back(errors[kind].back());
    }
    is_covered ? ++covered : ++missing;
    if (!is_covered) result.notes.push_back("reported as missing: " + to_string(shape));
  }
  for (const auto& [kind, values] : errors) {
    result.rows.push_back(
        {.dataset = "HAQ table (simulated)",
         .device = kind,
         .protocol = "layers of one shape left out",
         .metrics = {{"median error %", 100 * measurements::median(values)}, {"entries", static_cast<double>(values.size())}}});
  }
  result.means = {{"error %", 100 * measurements::median(errors["all"])}, {"shapes without neighbours", static_cast<double>(missing)}};
  return result;
}

}  // namespace lathe::bench
