#include "bench/hardware_truth/gpu_measurements.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <set>

#include "bench/torch_networks/torch_networks.h"

namespace lathe::bench {
namespace {

using measurements::CsvRow;
using measurements::number;

int bits_of(const std::string& dtype) {
  return dtype == "fp16" ? 16 : dtype == "int8" ? 8 : 32;
}

// "h56_ci64": a 3x3 convolution of 64 channels of 56 x 56 pixels, `width` output channels. nullopt for other names.
std::optional<policies::Workload> convolution_of(const CsvRow& row, const torch_networks::Setting& setting) {
  const std::string& name = row.at("model");
  const std::size_t separator = name.find("_ci");
  if (row.at("kind") != "conv3x3" || !name.starts_with("h") || separator == std::string::npos) return std::nullopt;
  std::int64_t height = 0, channels = 0;
  std::from_chars(name.data() + 1, name.data() + separator, height);
  std::from_chars(name.data() + separator + 3, name.data() + name.size(), channels);
  if (height <= 0 || channels <= 0) return std::nullopt;
  torch_networks::NetworkBuilder builder(setting);
  builder.set_shape({channels, height, height});
  builder.conv({.out = static_cast<std::int64_t>(number(row, "width")), .kernel = 3});
  return builder.take_workload();
}

void add_network(const std::string& name, const torch_networks::Setting& setting, double file_parameters, GpuMeasurement row,
                 GpuMeasurements& result, std::set<std::string>& noted) {
  std::optional<torch_networks::TorchNetwork> network = torch_networks::make_torch_network(name, setting);
  const auto note = [&](const std::string& text) {
    if (noted.insert(text).second) result.notes.push_back(text);
  };
  if (!network) return note(name + ": left out, its layers are not known here");
  if (file_parameters > 0 && file_parameters != static_cast<double>(network->parameters)) {
    note(name + ": " + std::to_string(network->parameters) + " parameters here, " +
         std::to_string(static_cast<std::int64_t>(file_parameters)) + " in the file");
  }
  row.measured.workload = std::move(network->workload);
  result.rows.push_back(std::move(row));
}

}  // namespace

GpuMeasurements read_h200(const std::vector<CsvRow>& rows) {
  GpuMeasurements result;
  std::set<std::string> noted;
  for (const CsvRow& row : rows) {
    const bool is_network = row.at("kind") == "net";
    GpuMeasurement measurement{.model = row.at("model"),
                               .dtype = row.at("dtype"),
                               .width = number(row, "width", 1),
                               .batch = static_cast<std::int64_t>(number(row, "batch", 1)),
                               .is_network = is_network};
    measurement.measured.latency_ms = number(row, "median_ms");
    if (measurement.dtype == "fp32") measurement.measured.lacked_parameters = {"tf32_macs_per_cycle"};
    const torch_networks::Setting setting{
        .width = is_network ? measurement.width : 1, .batch = measurement.batch, .bits = bits_of(measurement.dtype)};
    if (is_network) {
      add_network(row.at("model"), setting, number(row, "params"), std::move(measurement), result, noted);
    } else if (std::optional<policies::Workload> workload = convolution_of(row, setting)) {
      measurement.measured.workload = std::move(*workload);
      result.rows.push_back(std::move(measurement));
    } else if (noted.insert(measurement.model).second) {
      result.notes.push_back(measurement.model + ": left out, a kind of row that is not known here");
    }
  }
  return result;
}

GpuMeasurements read_jetson(const std::vector<CsvRow>& rows, const std::string& device, const std::string& column, bool is_fused) {
  GpuMeasurements result;
  std::set<std::string> noted;
  for (const CsvRow& row : rows) {
    if (row.at("device") != device || number(row, column) <= 0) continue;
    GpuMeasurement measurement{.model = row.at("model"), .dtype = "fp16", .is_network = true};
    measurement.measured.latency_ms = number(row, column);
    add_network(row.at("model"), {.bits = 16, .is_fused = is_fused}, 0, std::move(measurement), result, noted);
  }
  return result;
}

}  // namespace lathe::bench
