// Power of an NVIDIA GPU through NVML, loaded while the program runs.
#pragma once

#include <functional>
#include <memory>
#include <optional>

namespace lathe::hwmodels {

class PowerMeter {
 public:
  PowerMeter();  // of the first GPU; measures nothing where the driver's library is missing

  // Average power while `job` runs over and over for `seconds`; the first half is left out, since the reading trails the load by some
  // 100 ms. nullopt where nothing can be read.
  std::optional<double> average_power_w(const std::function<void()>& job, double seconds) const;

 private:
  struct Nvml;
  std::shared_ptr<const Nvml> nvml_;  // null where there is none
};

}  // namespace lathe::hwmodels
