// NNI configuration lists (NNI 3 documentation, "Compression Config Specification"): {"pruning": [...], "quantization": [...]}, each of
// which a pruner or quantizer takes as its config_list.
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_nni_exporter();

}  // namespace lathe::policies
