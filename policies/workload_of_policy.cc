// The workload of a policy file: names into groups and nodes.
#include <map>

#include "policies/weight_sparsity.h"
#include "policies/workload.h"

namespace lathe::policies {

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
                     .is_blocked = block_outputs(layer) > 1}};
  }
  return setting;
}

Workload workload_of(const WorkloadBuilder& builder, const models::Network& network, const CouplingAnalysis& analysis,
                     const Policy& policy) {
  const WorkloadSetting setting = setting_of(builder, network, analysis, policy);
  return builder.build(setting.kept_counts, setting.bits);
}

}  // namespace lathe::policies
