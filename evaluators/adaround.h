// AdaRound: whether each weight goes up or down is learned, layer by layer, without labels. Source: M. Nagel, R. A. Amjad, M. van Baalen,
// C. Louizos, T. Blankevoort, Up or Down? Adaptive Rounding for Post-Training Quantization, ICML 2020, section 3.3.
//
//   W~ = s * clip(floor(W / s) + h(V), n, p)        h(V) = clip(sigmoid(V) (zeta - gamma) + gamma, 0, 1)          (eq. 22, 23)
//   minimize over V   E|W x - W~ x^|^2 / e + lambda sum (1 - |2 h(V) - 1|^beta)                                   (eq. 21, 24, 25)
//
// with zeta = 1.1, gamma = -0.1, x what the float network feeds the layer and x^ what the quantized one does, its earlier layers rounded
// already (asymmetric reconstruction). beta falls along a cosine, so that h is free at first and goes to 0 or 1 in the end. Departures: the
// expectation over all samples, exact through moments, stands for random batches; e, the error of the nearest integers a weight, frees
// lambda of the layer's units; the layer's activation function is left out of the error, which would not be quadratic with it; and a shift
// of the mean goes to the bias, as in weight_rounding.h.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "evaluators/dataset.h"
#include "models/network.h"

namespace lathe::evaluators {

struct AdaRoundOptions {
  std::int64_t rows = 512;      // at most this many calibration rows, all at once
  std::int64_t positions = 64;  // of each row's feature map, about, on a regular grid
  int steps = 1000;             // of Adam
  double learning_rate = 0.01;
  double lambda = 1;
  double warm_start = 0.2;                // share of the steps without the second term
  double first_beta = 20, last_beta = 2;  // paper, section 5
};

// Covers what round_weights_by_gptq covers (weight_rounding.h), and returns the like. Deterministic.
models::Network round_weights_by_adaround(const models::Network& quantized, const models::Network& floating, const Rows& calibration,
                                          const AdaRoundOptions& options = {});

// One layer. All double.
struct AdaRoundProblem {
  at::Tensor weight;         // W, [outputs, inputs]
  at::Tensor scale;          // s, [outputs, 1] or [1, 1]
  at::Tensor second;         // E[x^ x^^T], [inputs, inputs]
  at::Tensor products;       // E[x^ y^T] with y = W x, [inputs, outputs]
  int quant_min, quant_max;  // n, p
};

struct AdaRoundLoss {
  double value;         // up to what does not depend on V
  at::Tensor gradient;  // by V
};
// error_scale: e. lambda 0 leaves the second term out.
AdaRoundLoss adaround_loss(const AdaRoundProblem& problem, const at::Tensor& v, double error_scale, double lambda, double beta);

// W~ with every h at 0 or 1.
at::Tensor adaround(const AdaRoundProblem& problem, const AdaRoundOptions& options);

}  // namespace lathe::evaluators
