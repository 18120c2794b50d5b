// Whether a network whose batch was opened at import still computes what its file does, sample by sample.
#pragma once

#include <cstdint>

#include "models/network.h"

namespace lathe::models::internal {

// Runs the network on two random batches of `batch` samples, and on both as one batch: true where every output of the whole is the two
// outputs one after the other (within the rounding of float32). False where a run fails or would take much memory. Deterministic.
bool computes_samples_alone(const Network& network, std::int64_t batch);

}  // namespace lathe::models::internal
