#include "policies/search_space_json.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace lathe::policies {
namespace {

using nlohmann::json;

DecisionKind kind_of(const std::string& name) {
  const auto* const kind =
      std::find_if(std::begin(kDecisionKinds), std::end(kDecisionKinds), [&](DecisionKind known) { return name == to_string(known); });
  if (kind == std::end(kDecisionKinds)) throw std::out_of_range("no kind of decisions is called " + name);
  return *kind;
}

// Numbers of a layer that agents may see, by name.
const std::vector<std::pair<const char*, std::int64_t LayerInfo::*>> kLayerNumbers{{"macs", &LayerInfo::macs},
                                                                                   {"parameters", &LayerInfo::parameters},
                                                                                   {"in_channels", &LayerInfo::in_channels},
                                                                                   {"out_channels", &LayerInfo::out_channels},
                                                                                   {"kernel", &LayerInfo::kernel},
                                                                                   {"stride", &LayerInfo::stride},
                                                                                   {"groups", &LayerInfo::groups},
                                                                                   {"input_elements", &LayerInfo::input_elements},
                                                                                   {"output_elements", &LayerInfo::output_elements}};
// And its widths where no decision says otherwise.
const std::vector<std::pair<const char*, int LayerInfo::*>> kLayerBits{{"weight_bits", &LayerInfo::weight_bits},
                                                                       {"activation_bits", &LayerInfo::activation_bits}};

}  // namespace

json space_json(const SearchSpace& space) {
  json document{{"decisions", json::array()},
                {"groups", json::array()},
                {"layers", json::array()},
                {"tie_bits", space.tie_bits},
                {"sparsity_pattern", space.sparsity_pattern},
                {"dynamic_activations", space.has_dynamic_activations}};
  for (const auto& decision : space.decisions)
    document["decisions"].push_back(
        {{"name", decision.name}, {"kind", to_string(decision.kind)}, {"subject", decision.subject}, {"values", decision.values}});
  for (const auto& group : space.groups) {
    json entry{{"name", group.name}, {"group", group.group}, {"channels", group.channels}};
    if (group.is_tokens) entry["tokens"] = true;
    document["groups"].push_back(entry);
  }
  for (const auto& block : space.blocks)
    document["blocks"].push_back({{"name", block.name}, {"nodes", block.nodes}, {"layers", block.layers}, {"groups", block.groups}});
  for (const auto& layer : space.layers) {
    json entry{{"name", layer.name}, {"op", layer.op}, {"node", layer.node}, {"quantizable", layer.quantizable}, {"reason", layer.reason}};
    for (const auto& [name, number] : kLayerNumbers) entry[name] = layer.*number;
    for (const auto& [name, bits] : kLayerBits) entry[name] = layer.*bits;
    document["layers"].push_back(entry);
  }
  return document;
}

SearchSpace space_of(const json& document) {
  SearchSpace space;
  for (const json& entry : document.at("decisions"))
    space.decisions.push_back({kind_of(entry.at("kind").get<std::string>()), entry.at("subject").get<int>(),
                               entry.at("name").get<std::string>(), entry.at("values").get<std::vector<int>>()});
  for (const json& entry : document.at("groups"))
    space.groups.push_back({entry.at("group").get<int>(), entry.at("name").get<std::string>(), entry.at("channels").get<std::int64_t>(),
                            entry.value("tokens", false)});
  for (const json& entry : document.value("blocks", json::array()))
    space.blocks.push_back({entry.at("name").get<std::string>(), entry.at("nodes").get<std::vector<int>>(),
                            entry.at("layers").get<std::vector<int>>(), entry.at("groups").get<std::vector<int>>()});
  for (const json& entry : document.at("layers")) {
    LayerInfo layer{};
    layer.node = entry.at("node").get<int>();
    layer.quantizable = entry.at("quantizable").get<bool>();
    layer.reason = entry.at("reason").get<std::string>();
    layer.name = entry.at("name").get<std::string>();
    layer.op = entry.at("op").get<std::string>();
    for (const auto& [name, number] : kLayerNumbers) layer.*number = entry.at(name).get<std::int64_t>();
    for (const auto& [name, bits] : kLayerBits) layer.*bits = entry.at(name).get<int>();
    space.layers.push_back(layer);
  }
  space.tie_bits = document.at("tie_bits").get<bool>();
  space.sparsity_pattern = document.value("sparsity_pattern", space.sparsity_pattern);  // spaces written before there was sparsity lack it
  space.has_dynamic_activations = document.value("dynamic_activations", false);
  return space;
}

}  // namespace lathe::policies
