#include "policies/exporters/csv_exporter.h"

#include <sstream>

#include "policies/exporters/layer_table.h"

namespace lathe::policies {
namespace {

// Quoted where a comma, a quote or a line break asks for it (RFC 4180, section 2).
std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

class CsvExporter final : public Exporter {
 public:
  const ExportFormat& format() const override {
    static const ExportFormat kFormat{.name = "csv",
                                      .opened_by = "spreadsheets, data frames",
                                      .tested_with = "Python csv",
                                      .carries = "channels, widths and formats of every layer, before and after",
                                      .loses = "which channels stay; metrics"};
    return kFormat;
  }

  Export write(const ExportSource& source) const override {
    std::ostringstream text;
    text << "name,module,op,in_channels,out_channels,kept_in_channels,kept_out_channels,macs,kept_macs,parameters,kept_parameters,"
            "weight_bits,weight_format,weight_granularity,activation_bits,activation_format,dynamic,sparsity,pattern\r\n";
    for (const LayerRow& row : layer_table(source.network, source.policy)) {
      const LayerPolicy& widths = row.widths;
      text << cell(row.name) << ',' << cell(row.module) << ',' << row.op << ',' << row.in_channels << ',' << row.out_channels << ','
           << row.kept_in_channels << ',' << row.kept_out_channels << ',' << row.macs << ',' << row.kept_macs << ',' << row.parameters
           << ',' << row.kept_parameters << ',' << widths.weight_bits << ',' << widths.weight_format << ',' << widths.weight_granularity
           << ',' << widths.activation_bits << ',' << widths.activation_format << ',' << (widths.dynamic ? "true" : "false") << ','
           << widths.sparsity << ',' << widths.pattern << "\r\n";
    }
    return {.bytes = text.str()};
  }
};

}  // namespace

std::unique_ptr<Exporter> make_csv_exporter() {
  return std::make_unique<CsvExporter>();
}

}  // namespace lathe::policies
