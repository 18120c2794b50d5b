// `constraints.latency_ms` and its like: one number for all devices, or a map from device to number.
#pragma once

#include <yaml-cpp/node/node.h>

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "experiments/config/config_document.h"
#include "experiments/config/experiment_config.h"

namespace lathe::experiments {

void read_device_limit(ConfigDocument& document, const std::string& path, const YAML::Node& node, DeviceLimit& limit);
YAML::Node write_device_limit(const DeviceLimit& limit);
nlohmann::json device_limit_schema();

}  // namespace lathe::experiments
