// Torch-Pruning: `pruning_ratio_dict` of its pruners, keyed by module path, with the channels that stay for those who cut by index.
// Torch-Pruning keeps int(channels * (1 - ratio)) channels; ratios are such that this is the policy's count in floating point too.
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_torch_pruning_exporter();

}  // namespace lathe::policies
