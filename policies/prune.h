// Removing channels for real, and the reference that it must equal.
#pragma once

#include "models/network.h"
#include "policies/coupling_groups.h"

namespace lathe::policies {

// The smaller network: weights, biases, BatchNormalization, Reshape targets, Pad amounts, Split sizes, group counts and value shapes
// follow, and tokens are selected where fewer are kept (token_selection.h). `analysis` must be of this very network.
models::Network prune(const models::Network& network, const CouplingAnalysis& analysis, const KeptChannels& kept);

// The network of unchanged shapes in which the removed channels are zero: producer weights and biases, BatchNormalization affine and
// statistics, and the slices of consumers that would read them. Tokens all stay: which ones go is not known before there is an input.
models::Network mask(const models::Network& network, const CouplingAnalysis& analysis, const KeptChannels& kept);

}  // namespace lathe::policies
