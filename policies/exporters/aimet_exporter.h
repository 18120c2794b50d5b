// AIMET encodings, version 1.0.0 (AIMET documentation, "Encoding format specification"), beside the float network that they are of: the
// pruned and trained network without quantizers, whose tensors the encodings name. AIMET computes x_q = clamp(round(x / scale) - offset, 0,
// 2^bits - 1) with offsets that are not positive, so offset = -zero_point of unsigned activations and -2^(bits - 1) of signed weights.
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_aimet_exporter();

}  // namespace lathe::policies
