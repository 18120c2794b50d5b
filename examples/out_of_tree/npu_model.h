// A hardware model of one's own: a systolic array whose multipliers take twice the work at half the width.
#pragma once

#include "hwmodels/device_class_registry.h"

namespace npu {

lathe::hwmodels::RegisteredDeviceClass npu_device_class();

}  // namespace npu
