// What a compressed network learns from a few hundred unlabelled rows: the ranges of its activations, and BatchNormalization statistics
// that fit the pruned weights.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "evaluators/dataset.h"
#include "models/network.h"
#include "policies/cross_layer_equalization.h"
#include "policies/quantize_network.h"
#include "policies/quantizer.h"

namespace lathe::evaluators {

// The distributions of some values of a network over rows, from one pass over them. Deterministic.
class ObservedActivations {
 public:
  // device: that runs the rows, "cpu" or "cuda".
  ObservedActivations(const models::Network& network, const std::vector<models::ValueId>& values, const Rows& rows, std::int64_t batch_size,
                      const std::string& device);
  // value: one of those that were observed.
  policies::Range range(models::ValueId value, policies::RangeMethod method, int bits) const;

 private:
  std::map<models::ValueId, policies::RangeObserver> observers_;
};

// One range for each point of the plan. `network` must be the one that the plan was made for.
std::vector<policies::Range> calibrate_activations(const models::Network& network, const policies::ActivationPlan& plan, const Rows& rows,
                                                   policies::RangeMethod method, std::int64_t batch_size = 64,
                                                   const std::string& device = "cpu");

// The largest element of each channel (axis 1) of the values.
policies::ChannelMaxima channel_maxima(const models::Network& network, const std::vector<models::ValueId>& values, const Rows& rows,
                                       std::int64_t batch_size = 64);

// The network with the running statistics of every BatchNormalization replaced by the mean of the batch statistics over `rows`
// (cumulative average; each layer sees the input that its own recalibrated predecessors produce with batch statistics).
models::Network recalibrate_batch_norm(const models::Network& network, const Rows& rows, std::int64_t batch_size = 64,
                                       const std::string& device = "cpu");

}  // namespace lathe::evaluators
