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

// Where the weight of a layer, or the table of a Gather, lies: the constant behind DequantizeLinear, Cast, or Cast and Mul (16-bit
// integers). kNoValue: the file has no such constant.
struct StoredWeight {
  models::ValueId constant;
  int operand;  // of the node that reads it
  const models::Node* dequantize = nullptr;
  models::ValueId scale = models::kNoValue, zero_point = models::kNoValue;
};
// nullopt where the node has no weight that is stored. makers: models::producers of the network.
std::optional<StoredWeight> stored_weight(const models::Network& network, const models::Node& node, const std::vector<int>& makers);

// The share of zeros, in [0, 1], among a layer's weights, as they are computed with: of stored integers those that equal their zero point.
// nullopt where no weight is stored.
std::optional<double> share_of_zeros(const models::Network& network, const models::Node& layer, const std::vector<int>& makers);

}  // namespace lathe::policies
