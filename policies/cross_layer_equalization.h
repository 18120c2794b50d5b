// Cross-layer equalization: channels between two layers are rescaled so that both layers' weights use their ranges evenly, which the
// network's function does not notice. Source: M. Nagel, M. van Baalen, T. Blankevoort, M. Welling, Data-Free Quantization Through Weight
// Equalization and Bias Correction, ICCV 2019, section 4.1.
//
// With r1_i the range (largest magnitude) of what makes channel i in the first layer, r2_i of what reads it in the second, dividing the
// first by s_i and multiplying the second by it makes both ranges sqrt(r1_i r2_i) for (eq. 11)
//
//   s_i = sqrt(r1_i / r2_i)
//
// Pairs are taken in network order, over and over until no s_i differs from 1 by much. ReLU commutes with s_i > 0. A ReLU6 does where
// neither the channel nor its rescaled form reaches 6: s_i >= largest_i / 6, and s_i = 1 where largest_i does reach it. Departure: the
// paper puts ReLU in place of ReLU6, which changes the network.
#pragma once

#include <map>
#include <vector>

#include "models/network.h"

namespace lathe::policies {

// The largest element of each channel of a value, over calibration rows.
using ChannelMaxima = std::map<models::ValueId, std::vector<float>>;

// The values between such pairs that an upper bound clips: their maxima decide.
std::vector<models::ValueId> clipped_between_layers(const models::Network& network);

// Covers Conv and Gemm of own weights, BatchNormalization folded, with ReLU, Clip from 0, zero padding or pooling between them. A Clip
// whose value `maxima` does not have is left alone.
models::Network equalize_across_layers(models::Network network, ChannelMaxima maxima);

}  // namespace lathe::policies
