// A device as data: a YAML file in configs/devices or the user's own. Every number carries its source in the file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "policies/device_capabilities.h"

namespace YAML {
class Node;
}

namespace lathe::hwmodels {

enum class DeviceClass { kArmCpu, kGpu, kFpgaDpu, kFpgaBitSerial, kFpgaDataflow };

struct DeviceSpec {
  std::string name;                     // "raspberry-pi-4"
  std::string title;                    // "Raspberry Pi 4 (Cortex-A72, 4 x 1.5 GHz)"
  DeviceClass device_class{};
  bool is_calibrated = false;
  policies::DeviceCapabilities capabilities;
  std::map<std::string, double> parameters;         // by the key of the file, in the unit that ends the key (clock_hz, dram_bytes_per_s)
  std::map<std::string, std::string> sources;       // where each number comes from
  std::string file;
};

// By name ("raspberry-pi-4": looked up in the device directories) or by path. Throws UserError (with nearest spelling).
DeviceSpec load_device(const std::string& name_or_path);
std::vector<std::string> device_names();            // all that are installed, sorted
// Directories searched for device files, in order: $LATHE_DEVICES, ./configs/devices, the source tree's, the installed share/lathe/devices.
std::vector<std::string> device_directories();

}  // namespace lathe::hwmodels
