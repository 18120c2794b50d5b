// Everything that a policy says, layer by layer, as plain JSON: for scripts that know neither Lathe nor ONNX.
//   {"format": "lathe.layers", "version": 1, "model": {...}, "layers": [{"name", "module", "op", "in_channels", ...}], "metrics": {...}}
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_json_exporter();

}  // namespace lathe::policies
