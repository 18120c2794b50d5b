#include "hwmodels/profiling/nvml_device.h"

#include <dlfcn.h>

#include <charconv>
#include <cstdlib>

namespace lathe::hwmodels {
namespace {

// Names, numbers and sizes as in the NVML API reference (nvml.h of CUDA 12).
constexpr int kSuccess = 0;              // NVML_SUCCESS
constexpr int kMultiprocessorClock = 1;  // NVML_CLOCK_SM
constexpr unsigned kNameBytes = 96;      // NVML_DEVICE_NAME_V2_BUFFER_SIZE

// Calls the function `name` of the library; false where it is missing or fails.
template <typename... Arguments>
bool call(void* library, const char* name, Arguments... arguments) {
  const auto function = reinterpret_cast<int (*)(Arguments...)>(dlsym(library, name));
  return function != nullptr && function(arguments...) == kSuccess;
}

std::string first_visible_device() {
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  const std::string devices = visible == nullptr ? "" : visible;
  return devices.substr(0, devices.find(','));
}

bool find_device(void* library, const std::string& visible, void** device) {
  if (visible.starts_with("GPU-")) return call(library, "nvmlDeviceGetHandleByUUID", visible.c_str(), device);
  unsigned index = 0;
  std::from_chars(visible.data(), visible.data() + visible.size(), index);
  return call(library, "nvmlDeviceGetHandleByIndex_v2", index, device);
}

}  // namespace

std::optional<NvmlDevice> NvmlDevice::open() {
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr || !call(library, "nvmlInit_v2")) return std::nullopt;
  void* device = nullptr;
  if (!find_device(library, first_visible_device(), &device)) return std::nullopt;
  return NvmlDevice(library, device);
}

std::string NvmlDevice::name() const {
  char text[kNameBytes] = "";
  return call(library_, "nvmlDeviceGetName", device_, static_cast<char*>(text), kNameBytes) ? text : "";
}

std::optional<unsigned> NvmlDevice::clock_mhz() const {
  unsigned mhz = 0;
  if (!call(library_, "nvmlDeviceGetClockInfo", device_, kMultiprocessorClock, &mhz)) return std::nullopt;
  return mhz;
}

std::optional<double> NvmlDevice::energy_j() const {
  unsigned long long millijoules = 0;
  if (!call(library_, "nvmlDeviceGetTotalEnergyConsumption", device_, &millijoules)) return std::nullopt;
  return static_cast<double>(millijoules) / 1e3;
}

}  // namespace lathe::hwmodels
