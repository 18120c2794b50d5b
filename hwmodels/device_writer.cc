// Writes device files.
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <filesystem>

#include "hwmodels/device_spec.h"

namespace lathe::hwmodels {
namespace {

// The shortest decimal number that reads back the same.
std::string exact(double value) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return {text, end};
}

void emit_sourced(YAML::Emitter& out, const DeviceSpec& device, const std::string& key, const YAML::Node& value) {
  const auto source = device.sources.find(key);
  out << YAML::Key << key << YAML::Value << YAML::Flow << YAML::BeginMap << YAML::Key << "value" << YAML::Value << value << YAML::Key
      << "source" << YAML::Value << YAML::DoubleQuoted << (source == device.sources.end() ? "" : source->second) << YAML::EndMap;
}

YAML::Node list_of(const std::vector<int>& numbers) {
  YAML::Node list;
  for (const int number : numbers) list.push_back(number);
  list.SetStyle(YAML::EmitterStyle::Flow);
  return list;
}

}  // namespace

std::string device_yaml(const DeviceSpec& device) {
  YAML::Emitter out;
  out << YAML::BeginMap;
  out << YAML::Key << "name" << YAML::Value << device.name;
  out << YAML::Key << "title" << YAML::Value << YAML::DoubleQuoted << device.title;
  out << YAML::Key << "class" << YAML::Value << to_string(device.device_class);
  out << YAML::Key << "calibrated" << YAML::Value << device.is_calibrated;
  if (!device.calibration.empty()) {
    out << YAML::Key << "calibration" << YAML::Value << YAML::BeginMap;
    out << YAML::Key << "source" << YAML::Value << YAML::DoubleQuoted << device.calibration;
    out << YAML::Key << "latency_log_deviation" << YAML::Value << exact(device.latency_log_deviation) << YAML::EndMap;
  }
  if (!device.table_file.empty()) {
    out << YAML::Key << "table" << YAML::Value << std::filesystem::path(device.table_file).filename().string();
  }
  out << YAML::Key << "capabilities" << YAML::Value << YAML::BeginMap;
  emit_sourced(out, device, "channel_granularity", YAML::Node(device.capabilities.channel_granularity));
  emit_sourced(out, device, "weight_bits", list_of(device.capabilities.weight_bits));
  emit_sourced(out, device, "activation_bits", list_of(device.capabilities.activation_bits));
  if (device.capabilities.runs_two_of_four) emit_sourced(out, device, "runs_two_of_four", YAML::Node(true));
  out << YAML::EndMap << YAML::Key << "parameters" << YAML::Value << YAML::BeginMap;
  for (const auto& [key, value] : device.parameters) emit_sourced(out, device, key, YAML::Node(exact(value)));
  out << YAML::EndMap << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace lathe::hwmodels
