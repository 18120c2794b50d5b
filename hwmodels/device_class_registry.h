// Device classes from outside the library: the word of a device file's `class`, the numbers that such a file holds, and the model.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hwmodels/device_parameters.h"
#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {

struct RegisteredDeviceClass {
  std::string name;                         // "my_npu"
  std::vector<DeviceParameter> parameters;  // checked when a file is read; all numbers are positive
  std::function<std::unique_ptr<HardwareModel>(DeviceSpec device)> make;
};

// At the start of the program, before a device is loaded; a name that is taken is a check failure.
void register_device_class(RegisteredDeviceClass device_class);

std::vector<std::string> registered_device_classes();
// The class must be registered.
const RegisteredDeviceClass& registered_device_class(const std::string& name);

}  // namespace lathe::hwmodels
