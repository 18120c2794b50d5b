#include "experiments/inspection.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "experiments/text_table.h"
#include "models/op_counts.h"
#include "policies/device_capabilities.h"
#include "policies/quantized_layers.h"
#include "policies/residual_blocks.h"
#include "policies/search_space.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

// What a user should know before anything else; "" where there is nothing.
std::string note_on(const models::Network& network) {
  const std::int64_t quantized = policies::count_quantized_layers(network);
  if (quantized == 0) return "";
  return "quantized already: " + std::to_string(quantized) +
         " layers read their weights through DequantizeLinear and can be neither pruned nor quantized; take the float network";
}

// The space of a device that can do everything: what is left out of it is left out by the network itself.
policies::SearchSpace widest_space(const models::Network& network, const policies::CouplingAnalysis& analysis) {
  const std::vector<int> widths{2, 3, 4, 5, 6, 7, 8, 16, 32};
  const policies::DeviceCapabilities all{.channel_granularity = 1, .weight_bits = widths, .activation_bits = widths};
  return policies::make_search_space(network, analysis, all, {});
}

json value_json(const models::Network& network, models::ValueId id) {
  const models::Value& value = network.value(id);
  return {{"name", value.name}, {"type", models::to_string(value.type)}, {"shape", value.shape}};
}

json values_json(const models::Network& network, const std::vector<models::ValueId>& values) {
  json listed = json::array();
  for (const models::ValueId id : values) listed.push_back(value_json(network, id));
  return listed;
}

json group_json(const policies::CouplingGroup& group) {
  std::vector<std::string> layers = group.producers;
  for (const std::string& name : group.consumers)
    if (std::find(layers.begin(), layers.end(), name) == layers.end()) layers.push_back(name);
  return {{"name", group.name},           {"channels", group.channels},   {"prunable", group.prunable}, {"reason", group.reason},
          {"producers", group.producers}, {"consumers", group.consumers}, {"layers", layers},           {"tokens", group.is_tokens}};
}

json blocks_json(const models::Network& network) {
  json listed = json::array();
  for (const policies::ResidualBlock& block : policies::find_residual_blocks(network)) {
    json layers = json::array();
    std::int64_t macs = 0;
    for (const int n : block.nodes) {
      const models::Node& node = network.nodes[static_cast<std::size_t>(n)];
      if (policies::is_layer(network, node)) layers.push_back(node.name);
      macs += models::macs(network, node);
    }
    listed.push_back({{"name", block.name}, {"layers", layers}, {"macs", macs}});
  }
  return listed;
}

std::string shape_text(const json& shape) {
  std::string text;
  for (const json& extent : shape) text += (text.empty() ? "" : ", ") + (extent.get<std::int64_t>() < 0 ? "N" : extent.dump());
  return "[" + text + "]";
}

std::string groups_text(const json& groups) {
  TextTable table({{"group"}, {"channels", TextTable::Align::kRight}, {"produced by"}, {"read by"}, {"prunable"}});
  const auto shortened = [](const json& names) {
    constexpr std::size_t kShown = 3;
    std::string text;
    for (std::size_t i = 0; i < std::min(kShown, names.size()); ++i) text += (i ? ", " : "") + names[i].get<std::string>();
    if (names.size() > kShown) text += ", and " + std::to_string(names.size() - kShown) + " more";
    return text.empty() ? std::string("-") : text;
  };
  for (const json& group : groups) {
    const std::string reason = group["reason"].get<std::string>();
    table.add_row({group["name"].get<std::string>(), group["channels"].dump(), shortened(group["producers"]), shortened(group["consumers"]),
                   group["prunable"].get<bool>() ? "yes" : "no: " + reason});
  }
  return table.to_string();
}

std::string blocks_text(const json& blocks) {
  TextTable table({{"block"}, {"layers", TextTable::Align::kRight}, {"first layer"}, {"MACs", TextTable::Align::kRight}});
  for (const json& block : blocks)
    table.add_row({block["name"].get<std::string>(), std::to_string(block["layers"].size()), block["layers"].front().get<std::string>(),
                   format_count(block["macs"].get<double>())});
  return table.to_string();
}

// Zeros are worth a column only where there are some.
bool has_zeros(const json& layers) {
  return std::any_of(layers.begin(), layers.end(),
                     [](const json& layer) { return layer["sparsity"].is_number() && layer["sparsity"] > 0; });
}

std::string layers_text(const json& layers) {
  using Align = TextTable::Align;
  std::vector<TextTable::Column> columns{{"layer"},
                                         {"operator"},
                                         {"in", Align::kRight},
                                         {"out", Align::kRight},
                                         {"kernel", Align::kRight},
                                         {"MACs", Align::kRight},
                                         {"parameters", Align::kRight}};
  const bool shows_zeros = has_zeros(layers);
  if (shows_zeros) columns.push_back({"zeros", Align::kRight});
  columns.insert(columns.end(), {{"pruned as"}, {"quantizable"}});
  TextTable table(columns);
  for (const json& layer : layers) {
    std::string groups;
    for (const json& name : layer["groups"]) groups += (groups.empty() ? "" : ", ") + name.get<std::string>();
    if (!layer["prunable"].get<bool>()) groups = "no: " + layer["prunable_reason"].get<std::string>();
    std::vector<std::string> row{layer["name"].get<std::string>(),
                                 layer["op"].get<std::string>(),
                                 layer["in_channels"].dump(),
                                 layer["out_channels"].dump(),
                                 layer["kernel"].dump(),
                                 format_count(layer["macs"].get<double>()),
                                 format_count(layer["parameters"].get<double>())};
    if (shows_zeros) row.push_back(layer["sparsity"].is_null() ? "-" : format_fixed(100 * layer["sparsity"].get<double>(), 1) + " %");
    row.push_back(groups);
    row.push_back(layer["quantizable"].get<bool>() ? "yes" : "no: " + layer["reason"].get<std::string>());
    table.add_row(std::move(row));
  }
  return table.to_string();
}

}  // namespace

json inspection_json(const models::Network& network, const policies::CouplingAnalysis& analysis) {
  std::map<std::string, std::vector<const policies::CouplingGroup*>> groups_of;
  json groups = json::array();
  for (const policies::CouplingGroup& group : analysis.groups) {
    groups.push_back(group_json(group));
    if (group.is_tokens) continue;  // no channels of the layer
    for (const std::string& name : group.producers) groups_of[name].push_back(&group);
  }
  const std::vector<int> makers = models::producers(network);
  json layers = json::array();
  for (const policies::LayerInfo& layer : widest_space(network, analysis).layers) {
    std::vector<std::string> prunable;
    std::string reason;
    for (const policies::CouplingGroup* group : groups_of[layer.name]) {
      if (group->prunable)
        prunable.push_back(group->name);
      else
        reason = group->reason;
    }
    if (prunable.empty() && reason.empty())
      reason = layer.quantizable ? "its output channels are no dimension that can be cut" : layer.reason;
    const std::optional<double> zeros = policies::share_of_zeros(network, network.nodes[static_cast<std::size_t>(layer.node)], makers);
    layers.push_back({{"name", layer.name},
                      {"op", layer.op},
                      {"macs", layer.macs},
                      {"parameters", layer.parameters},
                      {"sparsity", zeros ? json(*zeros) : json()},
                      {"in_channels", layer.in_channels},
                      {"out_channels", layer.out_channels},
                      {"kernel", layer.kernel},
                      {"stride", layer.stride},
                      {"groups_of_convolution", layer.groups},
                      {"groups", prunable},
                      {"prunable", !prunable.empty()},
                      {"prunable_reason", prunable.empty() ? reason : ""},
                      {"quantizable", layer.quantizable},
                      {"reason", layer.reason}});
  }
  // "model" is what a policy file holds, so that it can be copied there.
  return {{"model", {{"name", network.name}, {"sha256", network.sha256}}},
          {"opset", network.opset},
          {"note", note_on(network)},
          {"inputs", values_json(network, network.inputs)},
          {"outputs", values_json(network, network.outputs)},
          {"groups", groups},
          {"blocks", blocks_json(network)},
          {"layers", layers},
          {"macs", models::total_macs(network)},
          {"parameters", models::total_parameters(network)}};
}

std::string inspection_text(const json& inspection) {
  std::string text = inspection["model"]["name"].get<std::string>() + ": " + format_count(inspection["parameters"].get<double>()) +
                     " parameters, " + format_count(inspection["macs"].get<double>()) + " MACs for a batch of 1, ONNX opset " +
                     inspection["opset"].dump() + "\n";
  for (const char* side : {"inputs", "outputs"})
    for (const json& value : inspection[side])
      text += std::string(side, std::string(side).size() - 1) + " " + value["name"].get<std::string>() + " " +
              value["type"].get<std::string>() + " " + shape_text(value["shape"]) + "\n";
  if (const std::string note = inspection["note"].get<std::string>(); !note.empty()) text += "note: " + note + "\n";
  text += "\nLayers\n" + layers_text(inspection["layers"]);
  text += "\nCoupling groups: channels that are kept or removed together, and the tokens that pass\n" + groups_text(inspection["groups"]);
  if (!inspection["blocks"].empty()) text += "\nResidual blocks that can be removed (space.depth)\n" + blocks_text(inspection["blocks"]);
  return text;
}

}  // namespace lathe::experiments
