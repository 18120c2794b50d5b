// Scales of quantized weights that follow the weights while these are trained.
#pragma once

#include "models/executor.h"
#include "policies/quantizer.h"

namespace lathe::evaluators::internal {

// Recomputes, in place, the scale of every FakeQuantize whose input is a constant (a weight) and whose scale is not learned, by the same
// rule that made it. Zero points are 0 and stay.
void refresh_weight_scales(const models::Executor& executor, policies::RangeMethod method);

}  // namespace lathe::evaluators::internal
