#include "policies/search_space.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "models/base/error.h"
#include "models/op_counts.h"
#include "models/operators.h"
#include "policies/architecture_decisions.h"
#include "policies/layer_policies.h"
#include "policies/space_options.h"
#include "policies/weight_sparsity.h"

namespace lathe::policies {
namespace {

using models::Network;
using models::Node;

// Ascending, distinct, and only what Lathe can quantize to.
std::vector<int> widths(const std::vector<int>& chosen, const std::vector<int>& devices) {
  std::set<int> legal;
  for (const int bits : chosen.empty() ? devices : chosen) {
    if (is_supported(bits)) legal.insert(bits);
  }
  if (legal.empty()) legal.insert(32);
  return {legal.begin(), legal.end()};
}

bool mentions(const Segment& segment, int group) {
  return std::any_of(segment.begin(), segment.end(), [&](const Factor& factor) { return factor.group == group; });
}

// Channels of a layer that go with one index of the group: 1, or the other factors of the segment that it is part of (the smallest over the
// layers that produce it).
std::int64_t channels_an_index(const Network& network, const CouplingAnalysis& analysis, int group,
                               const std::map<std::string, int>& nodes) {
  std::int64_t smallest = 0;
  for (const std::string& producer : analysis.groups[static_cast<std::size_t>(group)].producers) {
    const auto found = nodes.find(producer);
    if (found == nodes.end()) continue;
    const Node& node = network.nodes[static_cast<std::size_t>(found->second)];
    for (const AxisExpression& axis : analysis.axes[static_cast<std::size_t>(node.outputs.front())]) {
      for (const Segment& segment : axis) {
        if (!mentions(segment, group)) continue;
        std::int64_t others = 1;
        for (const Factor& factor : segment) others *= factor.group == group || factor.size < 1 ? 1 : factor.size;
        smallest = smallest == 0 ? others : std::min(smallest, others);
      }
    }
  }
  return std::max<std::int64_t>(smallest, 1);
}

std::vector<int> kept_values(std::int64_t channels, const std::vector<double>& ratios, std::int64_t granule) {
  if (channels < granule) return {};
  std::set<int> values{static_cast<int>(channels)};
  for (const double ratio : ratios) {
    const double granules = std::round(ratio * static_cast<double>(channels) / static_cast<double>(granule));
    values.insert(static_cast<int>(std::clamp(static_cast<std::int64_t>(granules) * granule, granule, channels)));
  }
  return {values.begin(), values.end()};
}

// Builds the decisions in network order.
class SpaceBuilder {
 public:
  SpaceBuilder(const Network& network, const CouplingAnalysis& analysis, const DeviceCapabilities& capabilities,
               const SpaceOptions& options)
      : network_(network), analysis_(analysis), options_(options) {
    space_.layers = describe_layers(network);
    space_.tie_bits = options.tie_bits;
    if (options.depth) blocks_ = blocks_to_decide(network);
    check_options(options, analysis, capabilities, space_.layers, blocks_);
    space_.sparsity_pattern = options.sparsity_pattern;
    space_.has_dynamic_activations = options.dynamic_activations;
    for (const double sparsity : options.sparsity) kept_weights_.insert(static_cast<int>(std::lround(kAllWeights * (1 - sparsity))));
    if (!kept_weights_.empty()) kept_weights_.insert(kAllWeights);
    for (const double ratio : options.rank_ratios) ranks_.insert(static_cast<int>(std::lround(kFullRank * ratio)));
    granularity_ = options.channel_granularity > 0 ? options.channel_granularity : std::max(1, capabilities.channel_granularity);
    weight_bits_ = widths(options.weight_bits, capabilities.weight_bits);
    activation_bits_ = widths(options.activation_bits, capabilities.activation_bits);
    if (options.tie_bits) tie_widths();
    nodes_ = models::node_indices(network);
    for (int g = 0; g < static_cast<int>(analysis.groups.size()); ++g) {
      const CouplingGroup& group = analysis.groups[static_cast<std::size_t>(g)];
      if (group.prunable && !group.producers.empty()) groups_of_first_producer_[group.producers.front()].push_back(g);
    }
  }

  SearchSpace build() && {
    const auto [first, last] = first_and_last();
    space_.blocks = removable_blocks(blocks_, space_.layers, [&](const std::string& name) { return is_frozen(name); });
    for (int l = 0; l < static_cast<int>(space_.layers.size()); ++l) {
      for (int b = 0; b < static_cast<int>(space_.blocks.size()); ++b) {
        if (space_.blocks[static_cast<std::size_t>(b)].layers.front() == l) space_.decisions.push_back(block_decision(space_, b));
      }
      const auto groups = groups_of_first_producer_.find(space_.layers[static_cast<std::size_t>(l)].name);
      if (groups != groups_of_first_producer_.end()) {
        for (const int group : groups->second) add_group(group);
      }
      add_bits(l, l == first || l == last);
      add_sparsity(l);
      add_rank(l);
    }
    find_groups_of_blocks(network_, analysis_, space_);
    if (!options_.rank_ratios.empty()) check_has_ranks(space_);
    return std::move(space_);
  }

 private:
  void tie_widths() {
    std::vector<int> both;
    std::set_intersection(weight_bits_.begin(), weight_bits_.end(), activation_bits_.begin(), activation_bits_.end(),
                          std::back_inserter(both));
    if (both.empty()) throw UserError(Fault{.key = "space.tie_bits", .expected = "no width is legal for weights and activations alike"});
    weight_bits_ = activation_bits_ = both;
  }

  bool is_frozen(const std::string& name) const {
    return std::any_of(options_.frozen.begin(), options_.frozen.end(), [&](const std::string& pattern) { return matches(pattern, name); });
  }

  std::pair<int, int> first_and_last() const {
    std::pair<int, int> ends{-1, -1};
    for (int l = 0; l < static_cast<int>(space_.layers.size()); ++l) {
      if (!space_.layers[static_cast<std::size_t>(l)].quantizable) continue;
      if (ends.first < 0) ends.first = l;
      ends.second = l;
    }
    return ends;
  }

  void add_group(int g) {
    const CouplingGroup& group = analysis_.groups[static_cast<std::size_t>(g)];
    if (group.is_tokens) return add_tokens(g);
    if (!options_.prune || is_frozen(group.name)) return;
    const std::int64_t factor = channels_an_index(network_, analysis_, g, nodes_);
    const std::int64_t granule = granularity_ / std::gcd(static_cast<std::int64_t>(granularity_), factor);
    std::vector<int> values = kept_values(group.channels, options_.keep_ratios, granule);
    if (values.size() < 2) return;
    space_.decisions.push_back({.kind = DecisionKind::kKeptChannels,
                                .subject = static_cast<int>(space_.groups.size()),
                                .name = group.name + "/keep",
                                .values = std::move(values)});
    space_.groups.push_back({.group = g, .name = group.name, .channels = group.channels});
  }

  void add_tokens(int g) {
    const CouplingGroup& group = analysis_.groups[static_cast<std::size_t>(g)];
    if (options_.token_keep_ratios.empty() || is_frozen(group.name)) return;
    std::vector<int> values = kept_values(group.channels, options_.token_keep_ratios, /*granule=*/1);
    if (values.size() < 2) return;
    space_.decisions.push_back({.kind = DecisionKind::kKeptChannels,
                                .subject = static_cast<int>(space_.groups.size()),
                                .name = group.name + "/keep",
                                .values = std::move(values)});
    space_.groups.push_back({.group = g, .name = group.name, .channels = group.channels, .is_tokens = true});
  }

  void add_bits(int l, bool is_first_or_last) {
    LayerInfo& layer = space_.layers[static_cast<std::size_t>(l)];
    if (!layer.quantizable || is_frozen(layer.name)) return;
    std::vector<int> weight = weight_bits_, activation = activation_bits_;
    if (is_first_or_last && options_.first_last_bits != 0) weight = activation = {options_.first_last_bits};
    layer.weight_bits = weight.back();
    layer.activation_bits = activation.back();
    if (weight.size() > 1) {
      space_.decisions.push_back({.kind = DecisionKind::kWeightBits, .subject = l, .name = layer.name + "/weight_bits", .values = weight});
    }
    if (activation.size() > 1 && !options_.tie_bits) {
      space_.decisions.push_back(
          {.kind = DecisionKind::kActivationBits, .subject = l, .name = layer.name + "/activation_bits", .values = activation});
    }
  }

  // 2:4 needs four input channels to choose from, a block four outputs.
  void add_sparsity(int l) {
    const LayerInfo& layer = space_.layers[static_cast<std::size_t>(l)];
    if (kept_weights_.size() < 2 || !layer.quantizable || is_frozen(layer.name) || !sharing_of_weight(network_, layer).empty()) return;
    if (space_.sparsity_pattern == kTwoOfFour && layer.in_channels / layer.groups < kPatternGroup) return;
    if (space_.sparsity_pattern == kBlocksOfFour && layer.out_channels < kBlockOutputs) return;
    space_.decisions.push_back({.kind = DecisionKind::kKeptWeights,
                                .subject = l,
                                .name = layer.name + "/kept_weights",
                                .values = {kept_weights_.begin(), kept_weights_.end()}});
  }

  void add_rank(int l) {
    if (ranks_.empty() || is_frozen(space_.layers[static_cast<std::size_t>(l)].name)) return;
    std::optional<Decision> decision = rank_decision(network_, space_, l, ranks_);
    if (decision) space_.decisions.push_back(*std::move(decision));
  }

  const Network& network_;
  const CouplingAnalysis& analysis_;
  const SpaceOptions& options_;
  SearchSpace space_;
  int granularity_ = 1;
  std::vector<int> weight_bits_, activation_bits_;
  std::set<int> kept_weights_, ranks_;  // per mille
  std::vector<ResidualBlock> blocks_;   // where depth is searched
  std::map<std::string, int> nodes_;
  std::map<std::string, std::vector<int>> groups_of_first_producer_;
};

}  // namespace

const char* to_string(DecisionKind kind) {
  switch (kind) {
    case DecisionKind::kKeptChannels:
      return "kept_channels";
    case DecisionKind::kWeightBits:
      return "weight_bits";
    case DecisionKind::kActivationBits:
      return "activation_bits";
    case DecisionKind::kKeptWeights:
      return "kept_weights";
    case DecisionKind::kKeptBlock:
      return "kept_block";
    case DecisionKind::kRank:
      return "rank";
  }
  return "";
}

SearchSpace make_search_space(const Network& network, const CouplingAnalysis& analysis, const DeviceCapabilities& capabilities,
                              const SpaceOptions& options) {
  return SpaceBuilder(network, analysis, capabilities, options).build();
}

bool is_legal(const SearchSpace& space, const Candidate& candidate) {
  if (candidate.choices.size() != space.decisions.size()) return false;
  for (std::size_t i = 0; i < space.decisions.size(); ++i) {
    const int choice = candidate.choices[i];
    if (choice < 0 || choice >= static_cast<int>(space.decisions[i].values.size())) return false;
  }
  return true;
}

Candidate least_compressed(const SearchSpace& space) {
  Candidate candidate;
  for (const Decision& decision : space.decisions) candidate.choices.push_back(static_cast<int>(decision.values.size()) - 1);
  return candidate;
}

// FNV-1a over the choices, each as four bytes.
std::uint64_t hash_of(const Candidate& candidate) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const int choice : candidate.choices) {
    for (int shift = 0; shift < 32; shift += 8) {
      hash = (hash ^ ((static_cast<std::uint32_t>(choice) >> shift) & 0xFFU)) * 0x100000001B3ULL;
    }
  }
  return hash;
}

}  // namespace lathe::policies
