// The workload of a policy file: names into groups and nodes.
#include <map>

#include "policies/architecture.h"
#include "policies/weight_sparsity.h"
#include "policies/workload.h"

namespace lathe::policies {
namespace {

// The layers that the policy factors, where the builder leaves one of them whole.
std::vector<int> factored_beyond(const WorkloadBuilder& builder, const models::Network& network, const Policy& policy) {
  const std::map<std::string, int> nodes = models::node_indices(network);
  std::vector<int> factored;
  bool is_beyond = false;
  for (const LayerPolicy& layer : policy.layers) {
    if (layer.rank_ratio >= 1) continue;
    factored.push_back(nodes.at(layer.name));
    is_beyond = is_beyond || !builder.can_factor(factored.back());
  }
  return is_beyond ? factored : std::vector<int>{};
}

}  // namespace

WorkloadSetting setting_of(const WorkloadBuilder& builder, const models::Network& network, const CouplingAnalysis& analysis,
                           const Policy& policy) {
  WorkloadSetting setting{builder.full_counts(), std::vector<WorkloadBuilder::Bits>(static_cast<std::size_t>(builder.node_count()))};
  const KeptChannels kept = kept_channels(network, analysis, policy);
  for (std::size_t g = 0; g < kept.size(); ++g) {
    if (!kept[g].empty()) setting.kept_counts[g] = static_cast<std::int64_t>(kept[g].size());
  }
  const std::map<std::string, int> nodes = models::node_indices(network);
  for (const LayerPolicy& layer : policy.layers) {
    setting.bits[static_cast<std::size_t>(nodes.at(layer.name))] = {
        .weight = layer.weight_bits,
        .activation = layer.activation_bits,
        .sparsity = {.share = layer.sparsity,
                     .is_two_of_four = is_sparse(layer) && layer.pattern == kTwoOfFour,
                     .is_blocked = block_outputs(layer) > 1},
        .rank_ratio = layer.rank_ratio};
  }
  for (const auto& [node, block] : removed_nodes(network, policy)) setting.bits[static_cast<std::size_t>(node)].is_removed = true;
  return setting;
}

Workload workload_of(const WorkloadBuilder& builder, const models::Network& network, const CouplingAnalysis& analysis,
                     const Policy& policy) {
  const WorkloadSetting setting = setting_of(builder, network, analysis, policy);
  const std::vector<int> factored = factored_beyond(builder, network, policy);
  if (factored.empty()) return builder.build(setting.kept_counts, setting.bits);
  return WorkloadBuilder(network, analysis, builder.batch(), factored).build(setting.kept_counts, setting.bits);
}

}  // namespace lathe::policies
