#include "bench/hardware_truth/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lathe::bench {
namespace {

// Four significant digits at most, three after the point.
std::string format(double value) {
  if (std::isnan(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, std::abs(value) >= 100 ? "%.1f" : std::abs(value) >= 10 ? "%.2f" : "%.3f", value);
  return text;
}

std::string table_row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + cell + " |";
  return line + "\n";
}

std::string table_head(const std::vector<std::string>& titles) {
  return table_row(titles) + table_row(std::vector<std::string>(titles.size(), "---"));
}

std::vector<std::string> metric_names(const std::vector<TruthRow>& rows) {
  std::vector<std::string> names;
  for (const TruthRow& row : rows) {
    for (const Metric& metric : row.metrics) {
      if (std::find(names.begin(), names.end(), metric.name) == names.end()) names.push_back(metric.name);
    }
  }
  return names;
}

}  // namespace

std::string section_text(const Section& section, const SectionResult& result) {
  const std::vector<std::string> metrics = metric_names(result.rows);
  std::vector<std::string> titles = {"data", "device", "protocol"};
  titles.insert(titles.end(), metrics.begin(), metrics.end());
  std::string text = std::string("## ") + section.title + "\n\n" + table_head(titles);
  for (const TruthRow& row : result.rows) {
    std::vector<std::string> cells = {row.dataset, row.device, row.protocol};
    for (const std::string& name : metrics) {
      const auto metric = std::find_if(row.metrics.begin(), row.metrics.end(), [&](const Metric& m) { return m.name == name; });
      cells.push_back(metric == row.metrics.end() ? "" : format(metric->value));
    }
    text += table_row(cells);
  }
  for (const std::string& note : result.notes) text += "\n" + note + "\n";
  return text + "\n";
}

std::string claims_text(const std::vector<NamedResult>& results) {
  std::string text = "## Targets\n\n" + table_head({"section", "what", "measured", "target", "met"});
  for (const auto& [section, result] : results) {
    for (const Claim& claim : result.claims) {
      if (std::isnan(claim.measured)) continue;  // nothing was there to compare
      const char* sign = claim.bound == Claim::Bound::kAtLeast ? ">= " : "<= ";
      text += table_row({section, claim.text, format(claim.measured), sign + format(claim.limit), claim.is_met() ? "yes" : "no"});
    }
  }
  return text + "\n";
}

std::string means_line(const std::vector<NamedResult>& results) {
  std::string line = "means:";
  for (const auto& [section, result] : results) {
    if (result.means.empty()) continue;
    line += (line.back() == ':' ? " " : "; ") + section;
    for (const Metric& metric : result.means)
      line += (&metric == &result.means.front() ? " " : ", ") + metric.name + " " + format(metric.value);
  }
  return line + "\n";
}

}  // namespace lathe::bench
