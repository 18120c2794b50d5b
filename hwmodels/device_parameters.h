// The numbers that the model of each device class takes, by their key in the device file. One table, so that the parser knows what is
// missing or misspelt and `lathe devices` can explain each number.
#pragma once

#include <span>
#include <string>

#include "hwmodels/device_spec.h"

namespace lathe::hwmodels {

struct DeviceParameter {
  const char* key;
  bool is_required;  // an optional number that is left out means that the device lacks the feature
  const char* help;
};

std::span<const DeviceParameter> device_parameters(DeviceClass device_class);  // a built-in class
// Those of the device's class, built in or registered.
std::span<const DeviceParameter> device_parameters(const DeviceSpec& device);

}  // namespace lathe::hwmodels
