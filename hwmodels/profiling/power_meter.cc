#include "hwmodels/profiling/power_meter.h"

#include <dlfcn.h>

#include <chrono>

namespace lathe::hwmodels {
namespace {

constexpr int kSuccess = 0;  // NVML_SUCCESS

template <typename Function>
Function symbol(void* library, const char* name) {
  return reinterpret_cast<Function>(dlsym(library, name));
}

}  // namespace

struct PowerMeter::Nvml {
  void* device = nullptr;
  int (*get_power_mw)(void* device, unsigned* milliwatts) = nullptr;
};

// nvmlInit_v2, nvmlDeviceGetHandleByIndex_v2 and nvmlDeviceGetPowerUsage of the NVML reference.
PowerMeter::PowerMeter() {
  void* library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return;
  const auto init = symbol<int (*)()>(library, "nvmlInit_v2");
  const auto get_device = symbol<int (*)(unsigned, void**)>(library, "nvmlDeviceGetHandleByIndex_v2");
  auto nvml = std::make_shared<Nvml>();
  nvml->get_power_mw = symbol<int (*)(void*, unsigned*)>(library, "nvmlDeviceGetPowerUsage");
  if (init == nullptr || get_device == nullptr || nvml->get_power_mw == nullptr) return;
  if (init() == kSuccess && get_device(0, &nvml->device) == kSuccess) nvml_ = std::move(nvml);
}

std::optional<double> PowerMeter::average_power_w(const std::function<void()>& job, double seconds) const {
  if (!nvml_) return std::nullopt;
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  double sum_w = 0;
  int readings = 0;
  for (double at = 0; at < seconds; at = std::chrono::duration<double>(Clock::now() - start).count()) {
    job();
    unsigned milliwatts = 0;
    if (at < seconds / 2 || nvml_->get_power_mw(nvml_->device, &milliwatts) != kSuccess) continue;
    sum_w += milliwatts / 1e3;
    ++readings;
  }
  if (readings == 0) return std::nullopt;
  return sum_w / readings;
}

}  // namespace lathe::hwmodels
