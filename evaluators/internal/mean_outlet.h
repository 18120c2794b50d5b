// Where a change of a layer's mean output can be made up for.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "models/executor.h"
#include "models/network.h"

namespace lathe::evaluators::internal {

// A constant [outputs], its own, and the sign by which it enters: the layer's bias, the constant that an Add alone gives a MatMul, or
// the running mean of the BatchNormalization that alone reads the layer. kNoValue = there is none.
struct MeanOutlet {
  models::ValueId constant = models::kNoValue;
  double sign = 0;
};
MeanOutlet mean_outlet(const models::Network& network, const models::Node& layer);

// Lets the layer's mean output rise by `shift`: [outputs], double. The outlet must be there.
void shift_mean(models::Network& network, const MeanOutlet& outlet, const at::Tensor& shift);
// The same for the network that the executor runs.
void shift_mean(const models::Executor& executor, const MeanOutlet& outlet, const at::Tensor& shift);

// The node that alone reads the value; null where there are none or several, or the network gives the value away.
const models::Node* only_reader(const models::Network& network, models::ValueId id);

// How often nodes and the network's outputs read the value.
std::int64_t uses(const models::Network& network, models::ValueId id);

}  // namespace lathe::evaluators::internal
