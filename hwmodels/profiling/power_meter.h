// Power that a job draws, by a counter of energy such as NVML's.
//
// Not by averaging readings of power: on Ampere and later GPUs nvmlDeviceGetPowerUsage is itself an average over the last second (NVML
// API reference), which a job of half a second never reaches.
#pragma once

#include <functional>
#include <optional>

namespace lathe::hwmodels {

// Joules since some moment; nullopt where nothing can be read. May advance in steps.
using EnergyCounter = std::function<std::optional<double>()>;

// Average power while `job` runs over and over. For half of `seconds` the device warms up; the other half is measured, from one step of
// the counter to another. nullopt where nothing can be read, or where the counter stands still for a second.
std::optional<double> average_power_w(const EnergyCounter& counter, const std::function<void()>& job, double seconds);

}  // namespace lathe::hwmodels
