// The compressed network as ONNX with QuantizeLinear/DequantizeLinear: the delivered file itself, once it was found to agree with the
// policy, layer by layer.
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_onnx_qdq_exporter();

}  // namespace lathe::policies
