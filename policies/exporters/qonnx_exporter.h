// QONNX: ONNX with Quant nodes of arbitrary width in the domain qonnx.custom_op.general. A. Pappalardo et al., QONNX: Representing
// Arbitrary-Precision Quantized Neural Networks, 2022, section V:
//   Quant(x, scale, zero_point, bits) = (clamp(round(x / scale + zero_point), min, max) - zero_point) * scale,
// min and max following from bits, signed and narrow (narrow leaves out the lowest level, so that signed ranges are symmetric).
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_qonnx_exporter();

}  // namespace lathe::policies
