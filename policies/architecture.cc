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

// Adds the faults of block entries; gives the block that removes each node.
std::map<std::string, std::string> check_blocks(const models::Network& network, const Policy& policy, std::vector<Fault>& faults) {
  std::map<std::string, std::string> remover_of;
  if (policy.blocks.empty()) return remover_of;
  const std::vector<ResidualBlock> blocks = find_residual_blocks(network);
  std::vector<std::string> names;
  for (const ResidualBlock& block : blocks) names.push_back(block.name);
  for (std::size_t i = 0; i < policy.blocks.size(); ++i) {
    const BlockPolicy& entry = policy.blocks[i];
    const auto found = std::find(names.begin(), names.end(), entry.name);
    if (found == names.end()) {
      const std::string near = nearest_spelling(entry.name, names);
      faults.push_back({.key = "blocks[" + std::to_string(i) + "].name",
                        .expected = "the network has no residual block of that name" +
                                    (near.empty() ? "; `lathe inspect` lists them" : " (did you mean '" + near + "'?)"),
                        .got = entry.name});
      continue;
    }
    if (entry.keep) continue;
    for (const int node : blocks[static_cast<std::size_t>(found - names.begin())].nodes)
      remover_of[network.nodes[static_cast<std::size_t>(node)].name] = entry.name;
  }
  return remover_of;
}

}  // namespace

bool changes_architecture(const Policy& policy) {
  return !removed_blocks(policy).empty() || !factored_layers(policy).empty();
}

void check_architecture(const models::Network& network, const Policy& policy, std::vector<Fault>& faults) {
  const std::map<std::string, std::string> remover_of = check_blocks(network, policy, faults);
  if (!changes_architecture(policy)) return;
  const std::map<std::string, int> nodes = models::node_indices(network);
  for (std::size_t i = 0; i < policy.layers.size(); ++i) {
    const LayerPolicy& layer = policy.layers[i];
    const auto node = nodes.find(layer.name);
    if (node == nodes.end()) continue;
    const std::string key = "layers[" + std::to_string(i) + "]";
    if (const auto remover = remover_of.find(layer.name); remover != remover_of.end())
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
