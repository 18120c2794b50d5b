// Keys of the config whose values have a form of their own.
#pragma once

#include <string>

#include "experiments/config/config_keys.h"

namespace lathe::experiments {

// `model: net.onnx` or `model: {path: net.onnx}`.
ConfigKey model_key();
ConfigKey agents_key();
ConfigKey stages_key();
// A number, or one a device.
ConfigKey limit_key(std::string path, DeviceLimit ConstraintsConfig::*member, std::string help);

}  // namespace lathe::experiments
