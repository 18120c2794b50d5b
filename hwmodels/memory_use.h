// Memory that a network occupies on a device: activations at the worst moment of the schedule, and weights.
#pragma once

#include <cstdint>

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

}  // namespace lathe::hwmodels
