// The GPU as NVIDIA's management library (NVML) sees it; the library comes with the driver and is loaded while the program runs.
#pragma once

#include <optional>
#include <string>

namespace lathe::hwmodels {

class NvmlDevice {
 public:
  // The GPU that CUDA programs see first: the first of CUDA_VISIBLE_DEVICES (a number or a UUID) where that is set, else number 0. nullopt
  // where the driver or the GPU is missing. NVML stays loaded until the program ends.
  static std::optional<NvmlDevice> open();

  std::string name() const;                   // "NVIDIA H100 80GB HBM3"; "" where the driver does not tell
  std::optional<unsigned> clock_mhz() const;  // of the multiprocessors, now
  // Since the driver was loaded; GPUs before Volta have no such counter. It advances in steps of some 20 to 100 ms.
  std::optional<double> energy_j() const;

 private:
  NvmlDevice(void* library, void* device) : library_(library), device_(device) {}

  void* library_;  // of dlopen
  void* device_;   // nvmlDevice_t
};

}  // namespace lathe::hwmodels
