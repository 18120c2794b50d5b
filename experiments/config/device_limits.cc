#include "experiments/config/device_limits.h"

#include "experiments/config/config_values.h"

namespace lathe::experiments {
namespace {

const Rule kPositive{.at_least = 1e-12};

}  // namespace

std::optional<double> DeviceLimit::of(const std::string& device) const {
  const auto found = by_device.find(device);
  return found != by_device.end() ? std::optional<double>(found->second) : for_all;
}

bool ConstraintsConfig::limits_something() const {
  return latency_ms != DeviceLimit{} || energy_mj != DeviceLimit{} || packed_bytes || macs;
}

void read_device_limit(ConfigDocument& document, const std::string& path, const YAML::Node& node, DeviceLimit& limit) {
  DeviceLimit read;
  double value = 0;
  if (node.IsMap()) {
    for (const auto& entry : node) {
      const std::string device = entry.first.Scalar();
      if (read_value(document, path + "." + device, entry.second, kPositive, value)) read.by_device[device] = value;
    }
  } else if (!node.IsNull()) {
    if (!node.IsScalar() || !YAML::convert<double>::decode(node, value) || !(value >= kPositive.at_least)) {
      document.fault(path, node, "expected a number above 0, or a map from device to number", text_of(node));
      return;
    }
    read.for_all = value;
  }
  limit = read;
}

YAML::Node write_device_limit(const DeviceLimit& limit) {
  if (limit.for_all) return YAML::Node(*limit.for_all);
  if (limit.by_device.empty()) return YAML::Node(YAML::NodeType::Null);
  return YAML::Node(limit.by_device);
}

nlohmann::json device_limit_schema() {
  const nlohmann::json number{{"type", "number"}, {"exclusiveMinimum", 0}};
  return {{"oneOf", nlohmann::json::array({number, {{"type", "object"}, {"additionalProperties", number}}})}};
}

}  // namespace lathe::experiments
