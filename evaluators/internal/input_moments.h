// First and second moments of what layers multiply their weights by, over calibration rows: all that least squares needs to know of data.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "evaluators/dataset.h"
#include "evaluators/internal/layer_inputs.h"
#include "models/network.h"

namespace lathe::evaluators::internal {

struct MomentOptions {
  std::int64_t rows = 512;       // at most this many calibration rows
  std::int64_t positions = 100;  // of each row's feature map, about, on a regular grid
  std::int64_t batch_size = 64;
};

struct InputMoments {
  LinearLayer layer;
  at::Tensor mean;    // E[x], [inputs], double
  at::Tensor second;  // E[x x^T], [inputs, inputs], double
  std::int64_t samples = 0;
};

// E[x x^T], about the mean if `is_centred`: what a change of weights costs where the mean output is made up for (mean_outlet.h).
at::Tensor second_moments(const InputMoments& measured, bool is_centred);

// One for each layer, in the order given; one pass over the rows. Deterministic.
std::vector<InputMoments> measure_input_moments(const models::Network& network, const std::vector<LinearLayer>& layers,
                                                const Rows& calibration, const MomentOptions& options);

}  // namespace lathe::evaluators::internal
