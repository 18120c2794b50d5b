// What a compressed network learns from a few hundred unlabelled rows: the ranges of its activations, and BatchNormalization statistics
// that fit the pruned weights.
#pragma once

#include <cstdint>
#include <vector>

#include "evaluators/dataset.h"
#include "models/network.h"
#include "policies/cross_layer_equalization.h"
#include "policies/quantize_network.h"

namespace lathe::evaluators {

// One range for each point of the plan. `network` must be the one that the plan was made for. Deterministic.
std::vector<policies::Range> calibrate_activations(const models::Network& network, const policies::ActivationPlan& plan, const Rows& rows,
                                                   policies::RangeMethod method, std::int64_t batch_size = 64);

// The largest element of each channel (axis 1) of the values.
policies::ChannelMaxima channel_maxima(const models::Network& network, const std::vector<models::ValueId>& values, const Rows& rows,
                                       std::int64_t batch_size = 64);

// The network with the running statistics of every BatchNormalization replaced by the mean of the batch statistics over `rows`
// (cumulative average; each layer sees the input that its own recalibrated predecessors produce with batch statistics).
models::Network recalibrate_batch_norm(const models::Network& network, const Rows& rows, std::int64_t batch_size = 64);

}  // namespace lathe::evaluators
