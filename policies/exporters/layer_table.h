// A policy seen layer by layer: what each layer of the network keeps and how wide it becomes. Exporters to tools that know modules and not
// coupling groups start from this.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/policy.h"

namespace lathe::policies {

struct LayerRow {
  std::string name;    // of the ONNX node
  std::string module;  // of the PyTorch module that the node was exported from: see module_path
  std::string op;
  std::int64_t in_channels = 0, out_channels = 0;  // before
  std::int64_t kept_in_channels = 0, kept_out_channels = 0;
  std::vector<std::int64_t> kept_outputs;  // indices of the output channels that stay, ascending; all of them too
  std::int64_t macs = 0, parameters = 0;   // before, one sample
  std::int64_t kept_macs = 0, kept_parameters = 0;
  LayerPolicy widths;  // float where the policy leaves the layer out

  bool is_cut() const { return kept_out_channels < out_channels; }
  bool has_integer_weights() const { return widths.weight_format == "int"; }
  bool has_integer_inputs() const { return widths.activation_format == "int"; }
};

// One row a layer in network order. `network` must have gone through prepare_for_pruning. Throws UserError for groups and layers that the
// network lacks.
std::vector<LayerRow> layer_table(const models::Network& network, const Policy& policy);

// "layer1.0.conv1" of a weight called "layer1.0.conv1.weight" (PyTorch's exporters name parameters so); else of a node called
// "/layer1/layer1.0/conv1/Conv" (they name nodes so); else the node's own name.
std::string module_path(const models::Network& network, const models::Node& layer);

}  // namespace lathe::policies
