// Where a quantized layer's weight lies.
#pragma once

#include "models/network.h"

namespace lathe::evaluators::internal {

// The FakeQuantize node through which the layer reads its weight; null where there is none that serves it alone.
const models::Node* weight_quantizer(const models::Network& quantized, const models::Node& layer);

}  // namespace lathe::evaluators::internal
