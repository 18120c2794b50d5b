// A network as hardware sees it: a list of operators with plain numbers for sizes and widths, for any pruning and widths, without
// building a tensor. Pointwise operators that every runtime fuses (BatchNormalization, Relu, Clip, ... after a layer) are marked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/coupling_groups.h"
#include "policies/policy.h"
#include "policies/search_space.h"

namespace lathe::policies {

// kGemm: Gemm and MatMul with a weight; kMatMul: both operands are computed.
enum class OpKind { kConv, kDepthwiseConv, kConvTranspose, kGemm, kMatMul, kPool, kElementwise, kReduction, kDataMovement };
const char* to_string(OpKind kind);

// Zeros among an operator's weights.
struct WeightSparsity {
  double share = 0;             // of the weights that are zero
  bool is_two_of_four = false;  // they lie in the pattern 2:4
  bool is_blocked = false;      // they lie in blocks, pattern 4x1
  bool operator==(const WeightSparsity&) const = default;
};

// For all operators with MACs: macs = batch * positions * kernel_height * kernel_width * in_channels / groups * out_channels, where
// positions = out_height * out_width (in_height * in_width for kConvTranspose).
struct OpWorkload {
  int node = -1;  // index into Network::nodes
  std::string name;
  OpKind kind = OpKind::kElementwise;
  bool is_fused = false;  // rides on the operator before it: no pass over memory, no launch of its own
  // Convolution as written. Gemm and MatMul as batch * M x K x N: in_channels = K, out_channels = N, out_height * out_width = M, kernel 1;
  // a product of stacks of matrices (attention heads) is `groups` of them a sample, K and N summed over the groups.
  std::int64_t batch = 1, in_channels = 0, out_channels = 0, groups = 1;
  std::int64_t kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1;
  std::int64_t in_height = 1, in_width = 1, out_height = 1, out_width = 1;
  std::int64_t macs = 0;             // of the whole batch
  std::int64_t weight_elements = 0;  // 0 for operators without weights
  std::int64_t table_elements = 0;   // other float constants that it stores: biases, BatchNormalization, embeddings (read in part only)
  std::int64_t input_elements = 0;   // all non-constant inputs, whole batch
  std::int64_t output_elements = 0;  // what it and the operators that ride on it leave in memory
  int weight_bits = 32, input_bits = 32, output_bits = 32;
  WeightSparsity sparsity;  // `macs` and `weight_elements` count the zeros too
  bool operator==(const OpWorkload&) const = default;
};

// Weights of the operator that are not pruned to zero.
std::int64_t kept_weights(const OpWorkload& op);
// What its weights take in a packed file, without scales.
std::int64_t stored_weight_bytes(const OpWorkload& op);

// A value that lives in memory while the network runs, for the activation peak: made before `first` and last read by `last` (indices into
// Workload::ops; -1 = network input). Fused operators and views (Reshape, ...) make no value of their own.
struct LiveValue {
  int first, last;
  std::int64_t elements;
  int bits;
  // The value (index into Workload::values) that dies at `first` and whose memory this one takes over: a pointwise operator writes its
  // result where it read its input. -1: none.
  int reuses = -1;
  bool operator==(const LiveValue&) const = default;
};

struct Workload {
  std::vector<OpWorkload> ops;  // in network order
  std::vector<LiveValue> values;
};

// Everything about the network that does not depend on the policy is worked out once; then a workload costs no tensor and no search.
// Thread-safe; copies share the tables.
//
// What is fused: views; BatchNormalization, activations and arithmetic with constants after a layer, elementwise operator or reduction
// whose result nothing else reads; SiLU and GELU spelled out; a normalization spelled out (LayerNorm) rides on its first reduction. A
// selection of tokens that drops none (token_selection.h) is no operator: it counts as fused, moves nothing and keeps nothing in memory.
// Widths in memory: a value is as wide as its widest reader: a layer's activation width; 8 bits where an Add, Concat or average pooling
// reads it whose own readers are at most 8 bits wide (see plan_activations in quantize_network.h); 32 otherwise.
//
// Of the architecture: an operator that goes with its residual block, and the first factor of a layer that stays whole, are there as
// operators of no size that ride on others; the shortcut of a block that goes is the result of its Add, and what rode on the Add rides on
// what makes the shortcut. Readers that go do not count for widths, and who reads the result of an Add that goes reads the shortcut. Where
// the attention goes that would choose tokens, all of them stay.
class WorkloadBuilder {
 public:
  // factorable: nodes of layers that may be factored (low_rank.h), whose `Bits::rank_ratio` counts; each has an operator more, its first
  // factor, before it.
  WorkloadBuilder(const models::Network& network, const CouplingAnalysis& analysis, std::int64_t batch,
                  const std::vector<int>& factorable = {});

  // kept_counts: by group of the analysis (unpruned size where not pruned), of tokens at most how many. bits: by node index; 32 for nodes
  // that are not layers.
  struct Bits {
    int weight = 32, activation = 32;
    WeightSparsity sparsity{};  // of the weight, beside its width
    double rank_ratio = 1;      // of a layer in two factors
    bool is_removed = false;    // goes with its residual block
  };
  Workload build(const std::vector<std::int64_t>& kept_counts, const std::vector<Bits>& bits) const;
  // One operator or live value of it alone.
  OpWorkload build_op(int op, const std::vector<std::int64_t>& kept_counts, const std::vector<Bits>& bits) const;
  LiveValue build_value(int value, const std::vector<std::int64_t>& kept_counts, const std::vector<Bits>& bits) const;

  int op_count() const;
  int value_count() const;
  int node_count() const;
  // The layer whose weights operator `op` holds, as an index into Network::nodes; -1 for others.
  int layer_of(int op) const;
  // Whether the operator costs something of its own under some setting.
  bool is_standalone(int op) const;
  // What operator `op` depends on; all else leaves it as it is. Ascending. A group of tokens stands for those before it too, which limit
  // its count, and for whether the nodes that score these tokens are there.
  struct Dependencies {
    std::vector<int> groups, nodes;  // nodes: for their bits, and where they read a value for whether they are there
    std::vector<int> parts;          // nodes that it goes with when they are removed
    std::vector<int> ranks;          // nodes for their rank
  };
  Dependencies dependencies(int op) const;
  Dependencies value_dependencies(int value) const;
  bool can_factor(int node) const;
  std::int64_t batch() const;

  std::vector<std::int64_t> full_counts() const;  // unpruned
  const std::vector<int>& token_groups() const;   // see coupling_groups.h
  // The node that scores the tokens of that group; where it goes with its block, none of them is dropped. -1: nothing is decided of them.
  int token_scores_of(int group) const;

 private:
  // The rank of a factorable layer's two factors; 0 where it stays whole.
  std::int64_t rank_of(int node, const std::vector<std::int64_t>& kept_counts, const std::vector<Bits>& bits) const;

  // kept_counts with the tokens that there are.
  std::vector<std::int64_t> counts_of(const std::vector<std::int64_t>& kept_counts, const std::vector<Bits>& bits) const;

  struct Tables;  // operators and values with their axis expressions
  std::shared_ptr<const Tables> tables_;
};

// What `build` takes, for a candidate and for a policy file.
struct WorkloadSetting {
  std::vector<std::int64_t> kept_counts;
  std::vector<WorkloadBuilder::Bits> bits;
};
WorkloadSetting setting_of(const WorkloadBuilder& builder, const SearchSpace& space, const Candidate& candidate);
// Sets in `setting` what one decision says.
void apply_choice(const SearchSpace& space, int decision, int choice, WorkloadSetting& setting);
// Throws UserError as kept_channels does. Ranks of layers that the builder cannot factor count nothing; workload_of() takes another builder
// for these.
WorkloadSetting setting_of(const WorkloadBuilder& builder, const models::Network& network, const CouplingAnalysis& analysis,
                           const Policy& policy);

Workload workload_of(const WorkloadBuilder& builder, const SearchSpace& space, const Candidate& candidate);
Workload workload_of(const WorkloadBuilder& builder, const models::Network& network, const CouplingAnalysis& analysis,
                     const Policy& policy);

}  // namespace lathe::policies
