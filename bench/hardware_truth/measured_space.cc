#include "bench/hardware_truth/measured_space.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <utility>

namespace lathe::bench {
namespace {

bool is_in(std::initializer_list<const char*> names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

DeviceColumn parse_device_column(const std::string& name) {
  const std::size_t cut = name.rfind('_');
  if (cut == std::string::npos) return {name, 1};
  unsigned batch = 0;
  const char* last = name.data() + name.size();
  const auto [end, error] = std::from_chars(name.data() + cut + 1, last, batch);
  if (error != std::errc() || end != last || !std::has_single_bit(batch)) return {name, 1};
  return {name.substr(0, cut), static_cast<int>(batch)};
}

MeasuredDevice measured_device(const std::vector<measurements::CsvRow>& rows, const std::string& name,
                               const std::function<bool(const measurements::CsvRow&)>& is_used) {
  MeasuredDevice device{.name = name, .chip = parse_device_column(name).chip};
  std::vector<double> latencies;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double latency_ms = measurements::number(rows[i], name);
    if (!(latency_ms > 0) || !is_used(rows[i])) continue;
    device.rows.push_back(static_cast<int>(i));
    latencies.push_back(latency_ms);
  }
  device.latency_ms = Eigen::Map<Eigen::VectorXd>(latencies.data(), static_cast<Eigen::Index>(latencies.size()));
  return device;
}

void add_device(MeasuredDevice device, MeasuredSpace& space) {
  if (device.rows.size() >= kFewestRows) space.devices.push_back(std::move(device));
}

Eigen::MatrixXd rows_of(const Eigen::MatrixXd& m, const std::vector<int>& rows) {
  return m(rows, Eigen::all);
}

bool is_training_chip(const std::string& chip) {
  // Essential's telephone is the PH-1.
  return is_in({"1080ti", "silver_4114", "silver_4210r", "samsung_a50", "pixel3", "essential_ph", "samsung_s7"}, chip);
}

bool is_unseen_chip(const std::string& chip) {
  return is_in({"titan_rtx", "gold_6226", "fpga", "pixel2", "raspi4", "eyeriss"}, chip);
}

bool is_modelled_chip(const std::string& chip) {
  return is_in({"fpga", "eyeriss"}, chip);
}

}  // namespace lathe::bench
