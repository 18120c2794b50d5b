// The decisions of a search and their legal values. A candidate is one index a decision, which is all that agents see; it becomes a
// Policy when something is to be built from it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/coupling_groups.h"
#include "policies/device_capabilities.h"
#include "policies/policy.h"

namespace lathe::policies {

enum class DecisionKind { kKeptChannels, kWeightBits, kActivationBits, kKeptWeights, kKeptBlock, kRank };
inline constexpr DecisionKind kDecisionKinds[] = {DecisionKind::kKeptChannels, DecisionKind::kWeightBits, DecisionKind::kActivationBits,
                                                  DecisionKind::kKeptWeights,  DecisionKind::kKeptBlock,  DecisionKind::kRank};
const char* to_string(DecisionKind kind);  // "kept_channels", "weight_bits", ...

struct Decision {
  DecisionKind kind;
  int subject;              // index into SearchSpace::groups (kKeptChannels), SearchSpace::blocks (kKeptBlock) or SearchSpace::layers
  std::string name;         // "layer1.0.conv1/keep", ".../weight_bits", ".../activation_bits", ".../kept_weights", ".../kept_block",
                            // ".../rank"
  std::vector<int> values;  // legal values, ascending: channels kept, bits, per mille of the weights kept, 0 or 1 (a block is kept), or per
                            // mille of the full rank; never empty. The last one is the least compression.
  bool operator==(const Decision&) const = default;
};

// What a kKeptWeights decision says of the layer: the share of its weights that are zero.
constexpr int kAllWeights = 1000;
constexpr double sparsity_of(int kept_per_mille) {
  return 1 - static_cast<double>(kept_per_mille) / kAllWeights;
}

// What a kRank decision says of the layer.
constexpr int kFullRank = 1000;
constexpr double rank_ratio_of(int per_mille) {
  return static_cast<double>(per_mille) / kFullRank;
}

struct GroupInfo {
  int group;  // index into CouplingAnalysis::groups
  std::string name;
  std::int64_t channels;
  bool is_tokens = false;  // a decision is then at most how many tokens stay; fewer where fewer came
  bool operator==(const GroupInfo&) const = default;
};

// What agents may know of a layer (AMC's and HAQ's states are made of these).
struct LayerInfo {
  int node;  // index into Network::nodes
  std::string name, op;
  std::int64_t macs, parameters;
  std::int64_t in_channels, out_channels, kernel, stride, groups;
  std::int64_t input_elements, output_elements;  // one sample
  bool quantizable = true;
  std::string reason;                          // why not
  int weight_bits = 32, activation_bits = 32;  // where no decision says otherwise (frozen, or one legal width only)
  bool operator==(const LayerInfo&) const = default;
};

// A residual block that may go (residual_blocks.h), and what then has no effect any more.
struct BlockInfo {
  std::string name;
  std::vector<int> nodes;           // indices into Network::nodes, the Add among them; ascending
  std::vector<int> layers, groups;  // indices into SearchSpace::layers and SearchSpace::groups: within the branch alone
  bool operator==(const BlockInfo&) const = default;
};

struct SearchSpace {
  std::vector<Decision> decisions;  // in network order: for each layer its block and its group (where it is their first), then its own
  std::vector<GroupInfo> groups;    // those that have a decision
  std::vector<BlockInfo> blocks;    // those that have a decision
  std::vector<LayerInfo> layers;    // all of the network
  bool tie_bits = false;            // a kWeightBits decision sets the activations' width too
  std::string sparsity_pattern = "unstructured";  // of kKeptWeights decisions
  bool has_dynamic_activations = false;           // 8-bit activations take their range from each input
  bool operator==(const SearchSpace&) const = default;
};

// What the config's `space:` section says.
struct SpaceOptions {
  bool prune = true;
  std::vector<double> keep_ratios{0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0};
  std::vector<double> token_keep_ratios{};        // shares of all tokens that a Transformer's block may pass on; empty = all stay
  int channel_granularity = 0;                    // 0 = the devices'
  std::vector<int> weight_bits{};                 // empty = the devices'
  std::vector<int> activation_bits{};             // empty = the devices'
  bool tie_bits = false;                          // one decision for the activations and weights of a layer
  int first_last_bits = 0;                        // 0 = searched; else fixed for the first and last layer
  std::vector<double> sparsity{};                 // shares of a layer's weights that may be zero; empty = weights stay dense
  std::string sparsity_pattern = "unstructured";  // or "2:4", whose only sparsity is 0.5, or "4x1"
  bool dynamic_activations = false;               // 8-bit activations take their range from each input, not from calibration
  bool depth = false;                             // residual blocks may be removed
  std::vector<double> rank_ratios{};              // shares of the full rank that a layer's two factors may have; empty = layers stay whole
  std::string criterion = "l1";
  std::vector<std::string> frozen;  // names of groups or layers to leave alone (exact, or with * as wildcard)
};

// Kept channels: each ratio rounded to the granularity, at least one granule, and always the unpruned count. Where a group is one factor
// of a layer's channels (the heads of an attention) the granule is what makes their product a multiple. Weights may always stay dense;
// those that several layers read do. Layers may always stay whole; ranks are those that multiply less. Decisions with one legal value are
// dropped. Throws UserError for options out of range, a sparsity pattern that no device runs faster, `frozen` patterns that match nothing,
// and ratios of tokens, depth or ranks where no token can be dropped, no block removed, no layer factored.
SearchSpace make_search_space(const models::Network& network, const CouplingAnalysis& analysis, const DeviceCapabilities& capabilities,
                              const SpaceOptions& options);

// One index into Decision::values for each decision.
struct Candidate {
  std::vector<int> choices;
  auto operator<=>(const Candidate&) const = default;
};

bool is_legal(const SearchSpace& space, const Candidate& candidate);
Candidate least_compressed(const SearchSpace& space);  // the last value everywhere
// The candidate with the least compression where a removed block, or fewer tokens before, leave a decision without effect: candidates that
// mean the same are equal.
Candidate canonical(const SearchSpace& space, Candidate candidate);
std::uint64_t hash_of(const Candidate& candidate);  // stable across runs and machines

// Conv, ConvTranspose, Gemm, and MatMul with a constant operand.
bool is_layer(const models::Network& network, const models::Node& node);
// All of them in network order, none fixed to a width yet.
std::vector<LayerInfo> describe_layers(const models::Network& network);

// The policy that a candidate stands for (groups that keep all and layers that stay float are left out); `kept` is filled from `importance`
// (see pruning_criterion.h), by group of the analysis.
Policy to_policy(const models::Network& network, const SearchSpace& space, const Candidate& candidate,
                 const std::vector<std::vector<double>>& importance, const std::string& criterion);

// Kept channels that a policy asks for: from `kept`, else by its criterion. Throws UserError (all faults at once) for groups, layers or
// indices that the network lacks, for groups that cannot be pruned, and where `kept` is left out and the criterion needs rows. Of tokens
// the first of the right number, no more than the blocks before pass on.
KeptChannels kept_channels(const models::Network& network, const CouplingAnalysis& analysis, const Policy& policy);

}  // namespace lathe::policies
