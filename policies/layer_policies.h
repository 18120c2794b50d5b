// A policy's entries looked up by node.
#pragma once

#include <vector>

#include "models/network.h"
#include "policies/policy.h"

namespace lathe::policies {

struct LayerInfo;

// For each node its entry, or null. Layers have entries, and tables of embeddings, of which only the weight's part holds. Throws UserError,
// all faults at once: layers that the network lacks or that cannot be quantized, formats of activations other than int up to 16 bits and
// float from 16 (Lathe builds none of these), dynamic ranges of other widths than 8 bits, sparsity of a table or of a weight that is not the layer's own. The pointers
// go into `policy`.
std::vector<const LayerPolicy*> layer_policies(const models::Network& network, const Policy& policy);

// Who else reads the weight of a quantizable layer, as a reason for not putting zeros into it; "" where nobody does.
std::string sharing_of_weight(const models::Network& network, const LayerInfo& layer);

// The axis of the layer's weight (of a table: its rows) along which each index has a scale of its own, or -1 where one scale serves all: by
// the policy's granularity, but for MatMul by a stack of matrices, whose integer product ONNX Runtime takes with one scale alone.
int weight_scale_axis(const models::Network& network, const models::Node& node, const LayerPolicy& layer);

// Width of the integers that the layer's weight is quantized to, or 32 where it is not.
int integer_weight_bits(const LayerPolicy* layer);
int integer_activation_bits(const LayerPolicy* layer);
// The only width of activations whose range is found as the network runs.
constexpr int kDynamicBits = 8;
bool has_dynamic_activations(const LayerPolicy* layer);

}  // namespace lathe::policies
