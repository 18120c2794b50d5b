// A device as data: a YAML file in configs/devices or the user's own. Every number carries its source in the file:
//
//     name: raspberry-pi-4
//     title: Raspberry Pi 4 (Cortex-A72, 4 x 1.5 GHz)
//     class: arm_cpu
//     calibrated: false     # where true, `lathe calibrate` adds calibration: {source: "...", latency_log_deviation: 0.06}
//     capabilities:
//       channel_granularity: {value: 4, source: "..."}
//       weight_bits: {value: [2, 4, 8, 32], source: "..."}
//       activation_bits: {value: [8, 32], source: "..."}
//     parameters:
//       clock_hz: {value: 1.5e9, source: "..."}
//
// Which parameters a class has is in device_parameters.h.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "policies/device_capabilities.h"

namespace YAML {
class Node;
}

namespace lathe::hwmodels {

enum class DeviceClass { kArmCpu, kArmMcu, kGpu, kFpgaDpu, kFpgaBitSerial, kFpgaDataflow, kX86Cpu, kLookupTable, kRegistered };
const char* to_string(DeviceClass device_class);  // as in the file: "arm_cpu"; "registered" for those of register_device_class

struct DeviceSpec {
  std::string name;   // "raspberry-pi-4"
  std::string title;  // "Raspberry Pi 4 (Cortex-A72, 4 x 1.5 GHz)"
  DeviceClass device_class{};
  std::string registered_class;  // which one, where device_class is kRegistered
  bool is_calibrated = false;
  // Of a calibrated device: what it was fitted to, and the standard deviation of log(predicted / measured) on networks that it did not see
  // (0 = not known).
  std::string calibration;
  double latency_log_deviation = 0;
  policies::DeviceCapabilities capabilities;
  std::map<std::string, double> parameters;    // by the key of the file, in the unit that ends the key (clock_hz, dram_bytes_per_s)
  std::map<std::string, std::string> sources;  // where each number comes from, by the same key (or that of the capability)
  std::string file;
  std::string table_file;  // of a lookup_table device: the file of its latency table, found beside the device file

  // A parameter that the class requires; that it is there was checked on loading.
  double at(const std::string& key) const;
  double value_or(const std::string& key, double otherwise) const;
  bool operator==(const DeviceSpec&) const = default;
};

// By name ("raspberry-pi-4": looked up in the device directories) or by path (anything with a slash or ending in .yaml or .yml). Throws
// UserError with every fault of the file, each with its line; an unknown name with the nearest spelling.
DeviceSpec load_device(const std::string& name_or_path);
// The same from text; `file` names it in messages.
DeviceSpec parse_device(const std::string& text, const std::string& file);
// The text of a device file that parse_device reads back as the same device.
std::string device_yaml(const DeviceSpec& device);

std::vector<std::string> device_names();  // all that are installed, sorted
// Directories searched for device files, in order: $LATHE_DEVICES, ./configs/devices, the source tree's, the installed share/lathe/devices.
// Only those that exist.
std::vector<std::string> device_directories();

}  // namespace lathe::hwmodels
