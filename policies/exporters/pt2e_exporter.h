// PyTorch 2 export quantization: for each module the quantization specs of its weight and input, as the arguments of torch.ao
// QuantizationSpec in words ("torch.int8" is a string); docs/exporting.md has the loop that hands them to a quantizer.
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_pt2e_exporter();

}  // namespace lathe::policies
