#include "hwmodels/hardware_model.h"

#include <utility>

#include "hwmodels/arm_mcu_model.h"
#include "hwmodels/arm_model.h"
#include "hwmodels/device_class_registry.h"
#include "hwmodels/fpga_model.h"
#include "hwmodels/gpu_model.h"
#include "hwmodels/lookup_table_model.h"
#include "hwmodels/x86_cpu_model.h"
#include "models/base/check.h"

namespace lathe::hwmodels {

std::unique_ptr<HardwareModel> make_hardware_model(DeviceSpec device) {
  switch (device.device_class) {
    case DeviceClass::kArmCpu:
      return make_arm_model(std::move(device));
    case DeviceClass::kArmMcu:
      return make_arm_mcu_model(std::move(device));
    case DeviceClass::kGpu:
      return make_gpu_model(std::move(device));
    case DeviceClass::kFpgaDpu:
      return make_fpga_dpu_model(std::move(device));
    case DeviceClass::kFpgaBitSerial:
      return make_fpga_bit_serial_model(std::move(device));
    case DeviceClass::kFpgaDataflow:
      return make_fpga_dataflow_model(std::move(device));
    case DeviceClass::kX86Cpu:
      return make_x86_cpu_model(std::move(device));
    case DeviceClass::kLookupTable:
      return make_lookup_table_model(std::move(device));
    case DeviceClass::kRegistered:
      return registered_device_class(device.registered_class).make(std::move(device));
  }
  LATHE_CHECK(false) << "unknown device class";
  return nullptr;
}

}  // namespace lathe::hwmodels
