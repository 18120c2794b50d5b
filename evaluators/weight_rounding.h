// Weights to integers so that outputs change least, without labels or training: GPTQ (E. Frantar et al., GPTQ: Accurate Post-Training
// Quantization for Generative Pre-trained Transformers, ICLR 2023, sections 2 and 3; for convolutions as in E. Frantar, S. P. Singh, D.
// Alistarh, Optimal Brain Compression, NeurIPS 2022).
//
// A layer y = W x is rounded one input at a time; what rounding input i changes of the output, the inputs not yet rounded make up for by
// least squares (internal/settle_inputs.h), for all outputs at once. Inputs are taken by falling H_ii ("act-order"), so that those that matter most have the most others to lean on.
// Departures from the paper: x is what the float network gives, so that all layers are measured in one pass, and where the layer has a
// bias or BatchNormalization that can take a shift of the mean, H is the covariance of x and the shift goes there (bias correction, M.
// Nagel et al., Data-Free Quantization, ICCV 2019, section 4.2).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "evaluators/dataset.h"
#include "models/network.h"

namespace lathe::evaluators {

struct GptqOptions {
  std::int64_t rows = 512;       // at most this many calibration rows
  std::int64_t positions = 100;  // of each row's feature map, about, on a regular grid
  double damping = 0.01;         // lambda as a share of the mean H_ii
  std::int64_t batch_size = 64;
};

// `quantized` is `floating` with FakeQuantize inserted. Its weights come back as multiples of their scales, which stay. Covers
// two-dimensional convolutions of one group, Gemm, and MatMul with a constant second operand, each where its weight is its own; other
// layers stay as they are and go to the nearest integers. Deterministic.
models::Network round_weights_by_gptq(const models::Network& quantized, const models::Network& floating, const Rows& calibration,
                                      const GptqOptions& options = {});

// The same for one layer; weights that are zero (pruned) stay so. weight: [outputs, inputs], double. scale: [outputs, 1] or [1, 1], double. moments: H without lambda, [inputs,
// inputs], double. Undefined where H + lambda I cannot be factorized (inputs that are not finite).
at::Tensor gptq(const at::Tensor& weight, const at::Tensor& scale, const at::Tensor& moments, int quant_min, int quant_max, double damping);

}  // namespace lathe::evaluators
