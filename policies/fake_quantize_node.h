// The nodes that stand for simulated quantization (see models/network.h), made in one place.
#pragma once

#include <cstdint>

#include "models/network.h"
#include "policies/fresh_names.h"
#include "policies/quantizer.h"

namespace lathe::policies {

// Appends FakeQuantize of `input` and its constants to the network; axis -1 = one scale for the tensor. Returns the quantized value.
models::ValueId append_fake_quantize(models::Network& network, FreshNames& names, models::ValueId input,
                                     const QuantizationParameters& parameters, std::int64_t axis, int bits);
// Appends DynamicFakeQuantize of `input`; returns the quantized value.
models::ValueId append_dynamic_fake_quantize(models::Network& network, FreshNames& names, models::ValueId input);

}  // namespace lathe::policies
