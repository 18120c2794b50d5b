#include "policies/architecture_decisions.h"

#include <algorithm>
#include <map>

#include "models/base/error.h"
#include "policies/low_rank.h"

namespace lathe::policies {
namespace {

void add_groups(const std::vector<AxisExpression>& axes, std::set<int>& groups) {
  for (const AxisExpression& axis : axes) {
    for (const Segment& segment : axis) {
      for (const Factor& factor : segment) groups.insert(factor.group);
    }
  }
}

}  // namespace

std::vector<ResidualBlock> blocks_to_decide(const models::Network& network) {
  std::vector<ResidualBlock> blocks = find_residual_blocks(network);
  if (!blocks.empty()) return blocks;
  throw UserError(Fault{.key = "space.depth",
                        .expected = "expected false: the network has no residual block that can be removed (an Add of a value and of a "
                                    "branch that starts from it alone, both of one shape)",
                        .got = "true"});
}

std::vector<BlockInfo> removable_blocks(const std::vector<ResidualBlock>& blocks, const std::vector<LayerInfo>& layers,
                                        const std::function<bool(const std::string&)>& is_frozen) {
  std::vector<BlockInfo> removable;
  for (const ResidualBlock& block : blocks) {
    BlockInfo info{.name = block.name, .nodes = block.nodes};
    info.nodes.push_back(block.add);
    bool is_kept = is_frozen(block.name);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      if (!std::binary_search(block.nodes.begin(), block.nodes.end(), layers[l].node)) continue;
      info.layers.push_back(static_cast<int>(l));
      is_kept = is_kept || is_frozen(layers[l].name);
    }
    if (!is_kept) removable.push_back(std::move(info));
  }
  return removable;
}

void find_groups_of_blocks(const models::Network& network, const CouplingAnalysis& analysis, SearchSpace& space) {
  const std::vector<int> producers = models::producers(network);
  const std::map<int, int> scores = scores_of_tokens(network, analysis);
  for (BlockInfo& block : space.blocks) {
    const int add = block.nodes.back();
    std::set<int> inside, outside;
    for (std::size_t id = 0; id < network.values.size(); ++id) {
      if (network.is_constant(static_cast<models::ValueId>(id))) continue;
      const bool is_inner = producers[id] != add && std::binary_search(block.nodes.begin(), block.nodes.end(), producers[id]);
      add_groups(analysis.axes[id], is_inner ? inside : outside);
    }
    for (std::size_t g = 0; g < space.groups.size(); ++g) {
      const int group = space.groups[g].group;
      const auto scored = scores.find(group);
      const bool chooses = scored != scores.end() && std::binary_search(block.nodes.begin(), block.nodes.end(), scored->second);
      if (chooses || (inside.contains(group) && !outside.contains(group))) block.groups.push_back(static_cast<int>(g));
    }
  }
}

Decision block_decision(const SearchSpace& space, int block) {
  return {.kind = DecisionKind::kKeptBlock,
          .subject = block,
          .name = space.blocks[static_cast<std::size_t>(block)].name + "/kept_block",
          .values = {0, 1}};
}

std::optional<Decision> rank_decision(const models::Network& network, const SearchSpace& space, int layer, const std::set<int>& ratios) {
  const LayerInfo& info = space.layers[static_cast<std::size_t>(layer)];
  const models::Node& node = network.nodes[static_cast<std::size_t>(info.node)];
  if (!obstacle_to_low_rank(network, node).empty()) return std::nullopt;
  std::map<std::int64_t, int> ratio_of_rank;
  for (const int ratio : ratios) {
    const std::int64_t rank = rank_at(rank_ratio_of(ratio), matrix_size(network, node));
    if (rank > 0) ratio_of_rank.emplace(rank, ratio);
  }
  if (ratio_of_rank.empty()) return std::nullopt;
  Decision decision{.kind = DecisionKind::kRank, .subject = layer, .name = info.name + "/rank", .values = {}};
  for (const auto& [rank, ratio] : ratio_of_rank) decision.values.push_back(ratio);
  decision.values.push_back(kFullRank);
  return decision;
}

void check_has_ranks(const SearchSpace& space) {
  if (std::any_of(space.decisions.begin(), space.decisions.end(), [](const Decision& d) { return d.kind == DecisionKind::kRank; })) return;
  throw UserError(Fault{.key = "space.rank_ratios",
                        .expected = "expected none: two factors of these ranks save multiplications in no layer of this network"});
}

}  // namespace lathe::policies
