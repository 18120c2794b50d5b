// torchao: a ModuleFqnToConfig in the JSON of torchao.core.config, so that
//   quantize_(model, config_from_dict(json.load(file)), filter_fn=None)
// narrows the weights of the linear modules. torchao has no words for convolutions and for fixed ranges of activations.
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_torchao_exporter();

}  // namespace lathe::policies
