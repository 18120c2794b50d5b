// hls4ml configuration by layer name: fixed-point types whose total width is the width of the policy. The binary point is placed by the
// largest weight, and by the range of the activation; hls4ml has one scale a tensor, a power of two, so that scales by channel are lost.
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_hls4ml_exporter();

}  // namespace lathe::policies
