// What layers of the float network give on calibration rows, as targets of least squares for layers of a compressed one that read other
// inputs.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "evaluators/internal/layer_inputs.h"
#include "models/executor.h"
#include "models/network.h"

namespace lathe::evaluators::internal {

// Who is told what a layer reads, and before that the value of its shortcut where it has one, the moment they are known.
struct LayerWatch {
  models::ValueId input, shortcut = models::kNoValue;
  std::function<void(const at::Tensor&)> on_input = {}, on_shortcut = {};
};
// One pass. What is told may change constants that later layers read.
void run_watched(const models::Executor& executor, const std::vector<at::Tensor>& inputs, const std::vector<LayerWatch>& watches);

// Samples are those of unfolded_input().
struct LinearTarget {
  LinearLayer layer;                            // of the float network
  models::ValueId shortcut = models::kNoValue;  // a value of the shape of the layer's output that is wanted too
  at::Tensor output = {};                       // W x, without bias: [samples, outputs], float
  at::Tensor shortcut_output = {};              // [samples, outputs]
};

// Fills the tensors, which lie on the device that the network runs on; one pass.
void measure_targets(const models::Network& network, std::vector<LinearTarget>& targets, const std::vector<at::Tensor>& inputs,
                     std::int64_t positions, const std::string& device = "cpu");

// Moments of inputs x and targets y, about the means if `is_centred`.
struct CrossMoments {
  at::Tensor x_mean, y_mean;  // [inputs], [outputs], double
  at::Tensor second;          // E[x x^T], [inputs, inputs], double
  at::Tensor products;        // E[x y^T], [inputs, outputs], double
};
// x: [samples, inputs], y: [samples, outputs], float, on one device; the moments lie on the CPU.
CrossMoments cross_moments(const at::Tensor& x, const at::Tensor& y, bool is_centred);
// The moments that y takes part in, for another y.
void replace_target(CrossMoments& moments, const at::Tensor& x, const at::Tensor& y, bool is_centred);

}  // namespace lathe::evaluators::internal
