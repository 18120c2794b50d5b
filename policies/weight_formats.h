// Rounding of weights to number formats other than uniform integers.
#pragma once

#include <cstdint>
#include <span>

#include "models/tensor.h"

namespace lathe::policies {

// The nearest value that the format holds, ties to even; magnitudes beyond its largest finite value become that value.
//   float 16: IEEE 754 binary16. bfloat 16: 8 bits of significand. tf32: 11 bits. float 8: E4M3 of P. Micikevicius et al., FP8 Formats for
//   Deep Learning, 2022, table 1 (largest 448), times one scale a tensor that maps the largest weight to 448. pow2: 0 and +-2^e, 2^(bits -
//   1) - 1 exponents e up to that of the largest weight (A. Zhou et al., INQ, ICLR 2017, section 2.1).
models::Tensor round_to_format(const models::Tensor& weights, const std::string& format, int bits);

// Bits of a float in binary16 and bfloat16; the value must be representable (checked by is_representable).
std::uint16_t to_half_bits(float value);
std::uint16_t to_bfloat_bits(float value);
bool is_representable_as_half(std::span<const float> values);
bool is_representable_as_bfloat(std::span<const float> values);

// Whether a float weight or table is delivered at half its size: not one bit is lost, and a Cast node weighs less than what is saved.
bool is_delivered_at_half(const models::Tensor& weight);

}  // namespace lathe::policies
