#include "policies/exporters/layer_table.h"

#include <algorithm>
#include <map>

#include "models/operators.h"
#include "policies/coupling_groups.h"
#include "policies/prune.h"
#include "policies/search_space.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;

// The axis of the layer's output that its output channels lie on.
std::size_t channel_axis_of_output(const Network& network, const Node& node) {
  if (node.op != "MatMul") return 1;
  const std::size_t rank = network.value(node.outputs[0]).shape.size();
  return models::weight_input(network, node) == 1 ? rank - 1 : rank - 2;
}

// "/layer1/layer1.0/conv1/Conv" -> "layer1.0.conv1": each scope is a child's name, or the path so far where the child is numbered.
std::string module_of_scopes(const std::string& node_name) {
  std::string module;
  std::size_t begin = 1;
  for (std::size_t slash = node_name.find('/', begin); slash != std::string::npos; slash = node_name.find('/', begin)) {
    const std::string scope = node_name.substr(begin, slash - begin);
    const std::string last = module.substr(module.rfind('.') == std::string::npos ? 0 : module.rfind('.') + 1);
    const bool repeats_parent = !last.empty() && scope.starts_with(last + ".");
    const std::string child = repeats_parent ? scope.substr(last.size() + 1) : scope;
    module += (module.empty() ? "" : ".") + child;
    begin = slash + 1;
  }
  return module;
}

}  // namespace

std::string module_path(const Network& network, const Node& layer) {
  if (const int input = models::weight_input(network, layer); input >= 0) {
    const std::string& weight = network.value(layer.inputs[static_cast<std::size_t>(input)]).name;
    if (const std::size_t end = weight.rfind(".weight"); end != std::string::npos && end > 0) return weight.substr(0, end);
  }
  if (layer.name.starts_with("/") && layer.name.rfind('/') > 0) return module_of_scopes(layer.name);
  return layer.name;
}

std::vector<LayerRow> layer_table(const Network& network, const Policy& policy) {
  const CouplingAnalysis analysis = analyze_coupling(network);
  const KeptChannels kept = kept_channels(network, analysis, policy);
  const Network pruned = prune(network, analysis, kept);
  std::map<std::string, LayerInfo> after;
  for (const LayerInfo& layer : describe_layers(pruned)) after[layer.name] = layer;
  std::map<std::string, const LayerPolicy*> widths;
  for (const LayerPolicy& layer : policy.layers) widths[layer.name] = &layer;

  std::vector<LayerRow> rows;
  for (const LayerInfo& layer : describe_layers(network)) {
    const Node& node = network.nodes[static_cast<std::size_t>(layer.node)];
    const auto& axes = analysis.axes[static_cast<std::size_t>(node.outputs[0])];
    const LayerInfo& small = after.at(layer.name);
    LayerRow row{.name = layer.name,
                 .module = module_path(network, node),
                 .op = layer.op,
                 .in_channels = layer.in_channels,
                 .out_channels = layer.out_channels,
                 .kept_in_channels = small.in_channels,
                 .kept_out_channels = small.out_channels,
                 .kept_outputs = kept_indices(axes[channel_axis_of_output(network, node)], analysis, kept),
                 .macs = layer.macs,
                 .parameters = layer.parameters,
                 .kept_macs = small.macs,
                 .kept_parameters = small.parameters,
                 .widths = {.name = layer.name}};
    if (const auto found = widths.find(layer.name); found != widths.end()) row.widths = *found->second;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace lathe::policies
