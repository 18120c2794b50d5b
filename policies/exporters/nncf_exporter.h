// NNCF configuration of quantization-aware training (NNCF documentation, "Quantization", key scope_overrides): one override a layer for its
// weights, by a pattern over the scopes of a traced PyTorch model. A module layer1.0.conv1 is called
// "Net/Sequential[layer1]/Block[0]/NNCFConv2d[conv1]/conv2d_0" there; class names are not known here and match anything. Layers that stay
// float are ignored scopes. Activations get one width: NNCF 2.17 takes overrides for them too, but without a target device it writes each
// into one setting that all share, so that the last one would win.
#pragma once

#include <memory>

#include "policies/exporters/exporter.h"

namespace lathe::policies {

std::unique_ptr<Exporter> make_nncf_exporter();

}  // namespace lathe::policies
