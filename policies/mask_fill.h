// What a masked channel of a constant becomes, by how the constant is used: zero, so that the channel carries nothing; one for a
// variance (0 would divide by almost zero); unchanged where zero would be harmful (denominators, scales, exponents).
#pragma once

#include <vector>

#include "models/network.h"

namespace lathe::policies {

enum class MaskFill { kZero, kOne, kUnchanged };

// By value id; kUnchanged for values that are no constants. A constant with several uses that differ stays unchanged.
std::vector<MaskFill> mask_fills(const models::Network& network);

}  // namespace lathe::policies
