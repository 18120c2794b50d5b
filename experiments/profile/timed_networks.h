// Networks whose time is measured, not their accuracy: as `lathe compress` delivers them, but with made-up quantization ranges, so that no
// data is needed; and single layers as networks.
#pragma once

#include "hwmodels/profiling/layer_shape.h"
#include "models/network.h"
#include "policies/policy.h"
#include "policies/quantize_network.h"
#include "policies/workload.h"

namespace lathe::experiments {

// Pruned, BatchNormalization folded, QuantizeLinear and DequantizeLinear at the policy's widths. Times of integer arithmetic do not depend
// on the scales. Throws UserError where the policy names what the network lacks.
models::Network timed_network(const models::Network& network, const policies::Policy& policy,
                              policies::IntegerTypes types = policies::IntegerTypes::kInt8);
// Without quantization: the pruned float network.
models::Network timed_float_network(const models::Network& network, const policies::Policy& policy);

// "fp32", "int8", or "mixed" for all other widths.
std::string precision_name(const models::Network& network, const policies::Policy& policy);

// Convolutions and products with weights, each shape once, named after the first layer that has it. Transposed convolutions are left out.
std::vector<hwmodels::LayerShape> layer_shapes(const policies::Workload& workload);

// Input "input", one convolution or product without bias, in fp32 or with 8-bit weights and activations.
models::Network layer_network(const hwmodels::LayerShape& shape, int bits);

}  // namespace lathe::experiments
