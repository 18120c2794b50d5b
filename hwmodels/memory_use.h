// Memory that a network occupies on a device: activations at the worst moment of the schedule, and weights.
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "hwmodels/device_spec.h"
#include "policies/device_capabilities.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

// The largest sum, over the operators in order, of the bytes of all values alive while that operator runs (its inputs, its outputs, and
// what later operators still need). A result that takes over its input's memory (LiveValue::reuses) is counted as the larger of the two.
// Widths are those that the device stores. Scratch memory of kernels (im2col, Winograd) is not counted.
std::int64_t peak_activation_bytes(const policies::Workload& workload, const policies::DeviceCapabilities& capabilities);

// Bytes of one value; whole bytes a value.
std::int64_t value_bytes(const policies::LiveValue& value, const policies::DeviceCapabilities& capabilities);

// Weights packed at the widths that the device stores, in whole bytes an operator; biases and other tables as floats.
std::int64_t op_weight_bytes(const policies::OpWorkload& op, const policies::DeviceCapabilities& capabilities);
std::int64_t weight_bytes(const policies::Workload& workload, const policies::DeviceCapabilities& capabilities);

// What a network may fill: one memory for all, or, on a micro-controller, flash for weights and SRAM for activations.
struct MemoryLimits {
  MemoryLimits(double together) : together_bytes(together) {}  // NOLINT(google-explicit-constructor): most devices have one memory
  MemoryLimits(double weights, double activations) : weight_bytes(weights), activation_bytes(activations) {}

  double together_bytes = std::numeric_limits<double>::infinity();
  double weight_bytes = std::numeric_limits<double>::infinity();
  double activation_bytes = std::numeric_limits<double>::infinity();
};

// From the device's parameters: memory_bytes, or flash_bytes and sram_bytes less what the runtime takes of each.
MemoryLimits memory_limits(const DeviceSpec& device);
// Whether it fits, and otherwise what is short.
bool fits(const MemoryLimits& limits, std::int64_t weight_bytes, std::int64_t activation_bytes);
std::string shortage(const MemoryLimits& limits, std::int64_t weight_bytes, std::int64_t activation_bytes);

}  // namespace lathe::hwmodels
