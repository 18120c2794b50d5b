// Networks that were quantized before: their weights are stored as integers and read through DequantizeLinear. Nothing of such layers can
// be pruned or quantized again.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/network.h"

namespace lathe::policies {

// The DequantizeLinear that makes the second operand of a convolution or matrix product from a constant; null where there is none.
// makers: models::producers of the network.
const models::Node* dequantized_weight(const models::Network& network, const models::Node& node, const std::vector<int>& makers);

std::int64_t count_quantized_layers(const models::Network& network);

// The share of zeros, in [0, 1], among a layer's weights, as they are computed with: of stored integers those that equal their zero point.
// Weights behind DequantizeLinear, Cast and Mul (16-bit integers) are followed to their constant; nullopt where there is none.
std::optional<double> share_of_zeros(const models::Network& network, const models::Node& layer, const std::vector<int>& makers);

}  // namespace lathe::policies
