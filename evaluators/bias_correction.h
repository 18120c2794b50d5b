// Empirical bias correction: quantization shifts the mean of each layer's outputs, and biases take the shift back, one layer after the
// other, so that each is corrected for what the layers before it, corrected already, feed it:
//
//   b_c -= E[y'_c] - E[y_c]      y: of the float network, y': of the quantized one
//
// Source: M. Nagel et al., Data-Free Quantization Through Weight Equalization and Bias Correction, ICCV 2019, section 4.2 and appendix D.
// Where there is no bias the BatchNormalization after the layer, or the constant added to it, takes the shift.
#pragma once

#include <cstdint>

#include "evaluators/dataset.h"
#include "models/network.h"

namespace lathe::evaluators {

// `quantized` is `floating` with FakeQuantize inserted. Uses at most `rows` calibration rows, all at once. Deterministic.
models::Network correct_biases(const models::Network& quantized, const models::Network& floating, const Rows& calibration,
                               std::int64_t rows = 128);

}  // namespace lathe::evaluators
