#include "policies/architecture.h"

#include <algorithm>
#include <map>

#include "policies/low_rank.h"
#include "policies/residual_blocks.h"

namespace lathe::policies {
namespace {

std::vector<std::string> removed_blocks(const Policy& policy) {
  std::vector<std::string> names;
  for (const BlockPolicy& block : policy.blocks) {
    if (!block.keep) names.push_back(block.name);
  }
  return names;
}

void check_blocks(const models::Network& network, const Policy& policy, std::vector<Fault>& faults) {
  if (policy.blocks.empty()) return;
  std::vector<std::string> names;
  for (const ResidualBlock& block : find_residual_blocks(network)) names.push_back(block.name);
  for (std::size_t i = 0; i < policy.blocks.size(); ++i) {
    const BlockPolicy& entry = policy.blocks[i];
    if (std::find(names.begin(), names.end(), entry.name) != names.end()) continue;
    const std::string near = nearest_spelling(entry.name, names);
    faults.push_back({.key = "blocks[" + std::to_string(i) + "].name",
                      .expected = "the network has no residual block of that name" +
                                  (near.empty() ? "; `lathe inspect` lists them" : " (did you mean '" + near + "'?)"),
                      .got = entry.name});
  }
}

}  // namespace

bool changes_architecture(const Policy& policy) {
  return !removed_blocks(policy).empty() || !factored_layers(policy).empty();
}

std::map<int, std::string> removed_nodes(const models::Network& network, const Policy& policy) {
  std::map<int, std::string> remover_of;
  const std::vector<std::string> removed = removed_blocks(policy);
  if (removed.empty()) return remover_of;
  for (const ResidualBlock& block : find_residual_blocks(network)) {
    if (std::find(removed.begin(), removed.end(), block.name) == removed.end()) continue;
    remover_of[block.add] = block.name;
    for (const int node : block.nodes) remover_of[node] = block.name;
  }
  return remover_of;
}

void check_architecture(const models::Network& network, const Policy& policy, std::vector<Fault>& faults) {
  check_blocks(network, policy, faults);
  if (!changes_architecture(policy)) return;
  const std::map<int, std::string> remover_of = removed_nodes(network, policy);
  const std::map<std::string, int> nodes = models::node_indices(network);
  for (std::size_t i = 0; i < policy.layers.size(); ++i) {
    const LayerPolicy& layer = policy.layers[i];
    const auto node = nodes.find(layer.name);
    if (node == nodes.end()) continue;
    const std::string key = "layers[" + std::to_string(i) + "]";
    if (const auto remover = remover_of.find(node->second); remover != remover_of.end())
      faults.push_back({.key = key, .expected = "layer '" + layer.name + "' goes with block '" + remover->second + "', which is not kept"});
    if (layer.rank_ratio >= 1) continue;
    const std::string obstacle = obstacle_to_low_rank(network, network.nodes[static_cast<std::size_t>(node->second)]);
    if (!obstacle.empty())
      faults.push_back({.key = key + ".rank_ratio", .expected = "layer '" + layer.name + "' cannot be factored: " + obstacle});
  }
}

models::Network without_removed_blocks(const models::Network& network, const Policy& policy) {
  return without_blocks(network, removed_blocks(policy));
}

std::vector<std::string> factored_layers(const Policy& policy) {
  std::vector<std::string> names;
  for (const LayerPolicy& layer : policy.layers) {
    if (layer.rank_ratio < 1) names.push_back(layer.name);
  }
  return names;
}

models::Network with_architecture(const models::Network& network, const Policy& policy) {
  return with_low_rank(without_removed_blocks(network, policy), policy);
}

}  // namespace lathe::policies
