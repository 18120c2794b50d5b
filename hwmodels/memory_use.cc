#include "hwmodels/memory_use.h"

#include <algorithm>
#include <vector>

#include "hwmodels/op_demand.h"

namespace lathe::hwmodels {
namespace {

std::int64_t packed_bytes(std::int64_t elements, int bits) {
  return (elements * bits + 7) / 8;
}

}  // namespace

std::int64_t value_bytes(const policies::LiveValue& value, const policies::DeviceCapabilities& capabilities) {
  return packed_bytes(value.elements, width_on_device(value.bits, capabilities.activation_bits));
}

std::int64_t peak_activation_bytes(const policies::Workload& workload, const policies::DeviceCapabilities& capabilities) {
  const int ops = static_cast<int>(workload.ops.size());
  // change[i]: bytes that come to life just before operator i, less those that died after operator i - 1.
  std::vector<std::int64_t> change(static_cast<std::size_t>(ops) + 1, 0);
  for (const policies::LiveValue& value : workload.values) {
    const std::int64_t bytes = value_bytes(value, capabilities);
    const int first = std::clamp(value.first, 0, ops);
    const int end = std::clamp(value.last + 1, first, ops);
    change[static_cast<std::size_t>(first)] += bytes;
    change[static_cast<std::size_t>(end)] -= bytes;
    if (value.reuses < 0) continue;
    // Both are counted alive while the operator runs; what they share is counted once.
    const std::int64_t shared = std::min(bytes, value_bytes(workload.values[static_cast<std::size_t>(value.reuses)], capabilities));
    change[static_cast<std::size_t>(value.first)] -= shared;
    change[static_cast<std::size_t>(value.first) + 1] += shared;
  }
  std::int64_t alive = 0, peak = 0;
  for (int i = 0; i < ops; ++i) {
    alive += change[static_cast<std::size_t>(i)];
    peak = std::max(peak, alive);
  }
  return peak;
}

std::int64_t op_weight_bytes(const policies::OpWorkload& op, const policies::DeviceCapabilities& capabilities) {
  constexpr int kFloatBytes = 4;
  return (stored_weight_bits(op, capabilities) + 7) / 8 + kFloatBytes * op.table_elements;
}

std::int64_t weight_bytes(const policies::Workload& workload, const policies::DeviceCapabilities& capabilities) {
  std::int64_t bytes = 0;
  for (const policies::OpWorkload& op : workload.ops) bytes += op_weight_bytes(op, capabilities);
  return bytes;
}

MemoryLimits memory_limits(const DeviceSpec& device) {
  if (device.device_class != DeviceClass::kArmMcu) return device.value_or("memory_bytes", std::numeric_limits<double>::infinity());
  return {device.at("flash_bytes") - device.at("runtime_flash_bytes"), device.at("sram_bytes") - device.at("runtime_sram_bytes")};
}

bool fits(const MemoryLimits& limits, std::int64_t weight_bytes, std::int64_t activation_bytes) {
  const double weights = static_cast<double>(weight_bytes), activations = static_cast<double>(activation_bytes);
  return weights + activations <= limits.together_bytes && weights <= limits.weight_bytes && activations <= limits.activation_bytes;
}

std::string shortage(const MemoryLimits& limits, std::int64_t weight_bytes, std::int64_t activation_bytes) {
  const auto bytes = [](double count) { return std::to_string(static_cast<long long>(count)); };
  const double weights = static_cast<double>(weight_bytes), activations = static_cast<double>(activation_bytes);
  if (activations > limits.activation_bytes) {
    return "activations take " + bytes(activations) + " bytes of SRAM, the runtime leaves " + bytes(limits.activation_bytes);
  }
  if (weights > limits.weight_bytes) {
    return "weights take " + bytes(weights) + " bytes of flash, the runtime leaves " + bytes(limits.weight_bytes);
  }
  return "weights and activations take " + bytes(weights + activations) + " bytes of memory, the device has " +
         bytes(limits.together_bytes);
}

}  // namespace lathe::hwmodels
