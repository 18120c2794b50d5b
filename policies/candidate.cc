// Candidates (indices) into policies (names and channels), and policies into channels.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "models/base/error.h"
#include "models/operators.h"
#include "policies/architecture.h"
#include "policies/layer_policies.h"
#include "policies/pruning_criterion.h"
#include "policies/search_space.h"

namespace lathe::policies {
namespace {

// Formats that a search chooses from: integers to 8 bits, IEEE half precision at 16, float above.
const char* format_of(int bits) {
  return bits <= 8 ? "int" : "float";
}

GroupPolicy group_policy(const GroupInfo& info, std::int64_t channels, const Importance& importance, const std::string& criterion) {
  const double keep_ratio = static_cast<double>(channels) / static_cast<double>(info.channels);
  if (info.is_tokens)
    return {.name = info.name, .keep_ratio = keep_ratio, .channels = channels, .criterion = kAttentionCriterion, .kept = {}};
  return {.name = info.name,
          .keep_ratio = keep_ratio,
          .channels = channels,
          .criterion = criterion,
          .kept = most_important(importance[static_cast<std::size_t>(info.group)], channels)};
}

void remove_block(const BlockInfo& block, Policy& policy, std::vector<bool>& is_removed, std::vector<bool>& is_idle) {
  policy.blocks.push_back({.name = block.name, .keep = false});
  for (const int layer : block.layers) is_removed[static_cast<std::size_t>(layer)] = true;
  for (const int group : block.groups) is_idle[static_cast<std::size_t>(group)] = true;
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& names) {
  const std::string near = nearest_spelling(name, names);
  return near.empty() ? "" : " (did you mean '" + near + "'?)";
}

void check_layer_names(const models::Network& network, const Policy& policy, std::vector<Fault>& faults) {
  std::vector<std::string> names;
  for (const models::Node& node : network.nodes) {
    if (is_layer(network, node) || models::table_input(network, node) >= 0) names.push_back(node.name);
  }
  for (std::size_t i = 0; i < policy.layers.size(); ++i) {
    const std::string& name = policy.layers[i].name;
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    faults.push_back({.key = "layers[" + std::to_string(i) + "].name",
                      .expected = "the network has no such layer" + did_you_mean(name, names),
                      .got = name});
  }
}

// Number of channels that the entry keeps, or 0 with a fault.
std::int64_t wanted_count(const GroupPolicy& entry, const CouplingGroup& group, const std::string& key, std::vector<Fault>& faults) {
  const std::int64_t count = kept_count(entry, group);
  if (!entry.kept.empty() && (entry.kept.back() >= group.channels || entry.kept.front() < 0)) {
    faults.push_back({.key = key + ".kept",
                      .expected = "expected indices below " + std::to_string(group.channels) + ", the channels of '" + group.name + "'",
                      .got = std::to_string(entry.kept.back())});
    return 0;
  }
  if (count > group.channels) {
    faults.push_back({.key = key + ".channels",
                      .expected = "expected at most " + std::to_string(group.channels) + ", the channels of '" + group.name + "'",
                      .got = std::to_string(count)});
    return 0;
  }
  if (group.is_tokens && !entry.kept.empty()) {
    faults.push_back(
        {.key = key + ".kept",
         .expected = "expected `keep_ratio` or `channels`: which tokens of '" + group.name + "' stay is found for each input"});
    return 0;
  }
  if (count < group.channels && !group.prunable) {
    faults.push_back({.key = key, .expected = "group '" + group.name + "' cannot be pruned: " + group.reason});
    return 0;
  }
  return count;
}

// The groups of tokens that no attention chooses any more, with the block that it goes with.
std::map<int, std::string> unscored_tokens(const models::Network& network, const CouplingAnalysis& analysis, const Policy& policy) {
  const std::map<int, std::string> removed = removed_nodes(network, policy);
  std::map<int, std::string> unscored;
  for (const auto& [group, scores] : scores_of_tokens(network, analysis)) {
    if (const auto block = removed.find(scores); block != removed.end()) unscored[group] = block->second;
  }
  return unscored;
}

std::vector<std::int64_t> first_indices(std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

void limit_kept_tokens(const CouplingAnalysis& analysis, KeptChannels& kept) {
  std::vector<std::int64_t> counts;
  for (std::size_t g = 0; g < kept.size(); ++g)
    counts.push_back(kept[g].empty() ? analysis.groups[g].channels : static_cast<std::int64_t>(kept[g].size()));
  const std::vector<int> groups = token_groups(analysis);
  limit_tokens(groups, counts);
  for (const int group : groups) {
    const auto g = static_cast<std::size_t>(group);
    if (counts[g] < analysis.groups[g].channels) kept[g] = first_indices(counts[g]);
  }
}

// A place that would keep as many tokens as come, or more, limits nothing.
void lift_idle_limits(const SearchSpace& space, Candidate& candidate) {
  int tokens = std::numeric_limits<int>::max();  // that the blocks so far pass on
  for (std::size_t d = 0; d < space.decisions.size(); ++d) {
    const Decision& decision = space.decisions[d];
    const bool is_of_tokens =
        decision.kind == DecisionKind::kKeptChannels && space.groups[static_cast<std::size_t>(decision.subject)].is_tokens;
    if (!is_of_tokens) continue;
    const int value = decision.values[static_cast<std::size_t>(candidate.choices[d])];
    if (value >= tokens) candidate.choices[d] = static_cast<int>(decision.values.size()) - 1;
    tokens = std::min(tokens, value);
  }
}

}  // namespace

Candidate canonical(const SearchSpace& space, Candidate candidate) {
  const auto holds = [](const std::vector<int>& subjects, int subject) {
    return std::find(subjects.begin(), subjects.end(), subject) != subjects.end();
  };
  for (std::size_t b = 0; b < space.decisions.size(); ++b) {
    if (space.decisions[b].kind != DecisionKind::kKeptBlock || candidate.choices[b] != 0) continue;
    const BlockInfo& block = space.blocks[static_cast<std::size_t>(space.decisions[b].subject)];
    for (std::size_t d = 0; d < space.decisions.size(); ++d) {
      const Decision& decision = space.decisions[d];
      if (decision.kind == DecisionKind::kKeptBlock) continue;
      const bool is_idle = holds(decision.kind == DecisionKind::kKeptChannels ? block.groups : block.layers, decision.subject);
      if (is_idle) candidate.choices[d] = static_cast<int>(decision.values.size()) - 1;
    }
  }
  lift_idle_limits(space, candidate);
  return candidate;
}

Policy to_policy(const models::Network& network, const SearchSpace& space, const Candidate& given, const Importance& importance,
                 const std::string& criterion) {
  LATHE_CHECK(is_legal(space, given)) << "candidate of another search space";
  const Candidate candidate = canonical(space, given);
  Policy policy{.model_name = network.name, .model_sha256 = network.sha256};
  std::vector<LayerInfo> layers = space.layers;
  std::vector<double> sparsity(layers.size(), 0), rank_ratio(layers.size(), 1);
  std::vector<bool> is_removed(layers.size(), false), is_idle(space.groups.size(), false);
  std::int64_t tokens = std::numeric_limits<std::int64_t>::max();  // that the blocks so far pass on
  for (std::size_t i = 0; i < space.decisions.size(); ++i) {
    const Decision& decision = space.decisions[i];
    const int value = decision.values[static_cast<std::size_t>(candidate.choices[i])];
    if (decision.kind == DecisionKind::kKeptChannels) {
      const GroupInfo& group = space.groups[static_cast<std::size_t>(decision.subject)];
      if (is_idle[static_cast<std::size_t>(decision.subject)]) continue;  // its block comes before it
      if (group.is_tokens) tokens = std::min<std::int64_t>(tokens, value);
      const std::int64_t count = group.is_tokens ? tokens : value;
      if (count < group.channels) policy.groups.push_back(group_policy(group, count, importance, criterion));
      continue;
    }
    const auto subject = static_cast<std::size_t>(decision.subject);
    if (decision.kind == DecisionKind::kKeptBlock) {
      if (value == 0) remove_block(space.blocks[subject], policy, is_removed, is_idle);
      continue;
    }
    if (decision.kind == DecisionKind::kKeptWeights) {
      sparsity[subject] = sparsity_of(value);
      continue;
    }
    if (decision.kind == DecisionKind::kRank) {
      rank_ratio[subject] = rank_ratio_of(value);
      continue;
    }
    LayerInfo& layer = layers[subject];
    if (decision.kind == DecisionKind::kWeightBits) layer.weight_bits = value;
    if (decision.kind == DecisionKind::kActivationBits || space.tie_bits) layer.activation_bits = value;
  }
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const LayerInfo& layer = layers[l];
    const bool is_whole = layer.weight_bits == 32 && layer.activation_bits == 32 && sparsity[l] == 0 && rank_ratio[l] == 1;
    if (is_whole || is_removed[l]) continue;
    policy.layers.push_back({.name = layer.name,
                             .weight_bits = layer.weight_bits,
                             .weight_format = format_of(layer.weight_bits),
                             .activation_bits = layer.activation_bits,
                             .activation_format = format_of(layer.activation_bits),
                             .dynamic = space.has_dynamic_activations && layer.activation_bits == kDynamicBits,
                             .sparsity = sparsity[l],
                             .pattern = sparsity[l] > 0 ? space.sparsity_pattern : "dense",
                             .rank_ratio = rank_ratio[l]});
  }
  return policy;
}

KeptChannels kept_channels(const models::Network& network, const CouplingAnalysis& analysis, const Policy& policy) {
  std::vector<std::string> names;
  std::map<std::string, std::size_t> group_of_name;
  for (std::size_t g = 0; g < analysis.groups.size(); ++g) {
    names.push_back(analysis.groups[g].name);
    group_of_name.emplace(analysis.groups[g].name, g);
  }
  std::vector<Fault> faults;
  check_layer_names(network, policy, faults);
  check_architecture(network, policy, faults);
  const std::map<int, std::string> unscored = unscored_tokens(network, analysis, policy);
  KeptChannels kept(analysis.groups.size());
  std::map<std::string, Importance> importance;  // by criterion
  for (std::size_t i = 0; i < policy.groups.size(); ++i) {
    const GroupPolicy& entry = policy.groups[i];
    const std::string key = "groups[" + std::to_string(i) + "]";
    const auto found = group_of_name.find(entry.name);
    if (found == group_of_name.end()) {
      faults.push_back(
          {.key = key + ".name", .expected = "the network has no such group" + did_you_mean(entry.name, names), .got = entry.name});
      continue;
    }
    const CouplingGroup& group = analysis.groups[found->second];
    const std::int64_t count = wanted_count(entry, group, key, faults);
    if (count == 0 || count == group.channels) continue;
    if (const auto block = unscored.find(static_cast<int>(found->second)); block != unscored.end()) {
      faults.push_back({.key = key,
                        .expected = "no token of '" + group.name + "' can be dropped: the attention that chooses them goes with block '" +
                                    block->second + "', which is not kept"});
      continue;
    }
    kept[found->second] = group.is_tokens ? first_indices(count) : entry.kept;
    if (!kept[found->second].empty()) continue;
    if (entry.criterion == kAttentionCriterion) {
      faults.push_back({.key = key + ".criterion",
                        .expected = "expected a criterion of channels: '" + entry.name + "' are no tokens",
                        .got = entry.criterion});
      continue;
    }
    if (needs_rows(entry.criterion)) {
      faults.push_back(
          {.key = key + ".kept",
           .expected = "missing; expected the kept channels, since criterion '" + entry.criterion + "' needs data to choose them",
           .got = entry.name});
      continue;
    }
    if (!importance.contains(entry.criterion)) importance.emplace(entry.criterion, weight_importance(network, analysis, entry.criterion));
    kept[found->second] = most_important(importance.at(entry.criterion)[found->second], count);
  }
  if (!faults.empty()) throw UserError(faults);
  limit_kept_tokens(analysis, kept);
  return kept;
}

}  // namespace lathe::policies
