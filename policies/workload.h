// A network as hardware sees it: a list of operators with plain numbers for sizes and widths, for any pruning and widths, without
// building a tensor. Pointwise operators that every runtime fuses (BatchNormalization, Relu, Clip, ... after a layer) are marked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/network.h"
#include "policies/coupling_groups.h"
#include "policies/policy.h"
#include "policies/search_space.h"

namespace lathe::policies {

enum class OpKind { kConv, kDepthwiseConv, kConvTranspose, kGemm, kMatMul, kPool, kElementwise, kReduction, kDataMovement };
const char* to_string(OpKind kind);

struct OpWorkload {
  int node = -1;                       // index into Network::nodes
  std::string name;
  OpKind kind = OpKind::kElementwise;
  bool is_fused = false;               // rides on the operator before it: no pass over memory, no launch of its own
  // Convolution as written; Gemm and MatMul as batch*M x K x N: in_channels = K, out_channels = N, out_height * out_width = M, kernel 1.
  std::int64_t batch = 1, in_channels = 0, out_channels = 0, groups = 1;
  std::int64_t kernel_height = 1, kernel_width = 1, stride_height = 1, stride_width = 1;
  std::int64_t in_height = 1, in_width = 1, out_height = 1, out_width = 1;
  std::int64_t macs = 0;               // of the whole batch
  std::int64_t weight_elements = 0;    // 0 for operators without weights
  std::int64_t input_elements = 0;     // all non-constant inputs, whole batch
  std::int64_t output_elements = 0;
  int weight_bits = 32, input_bits = 32, output_bits = 32;
  bool operator==(const OpWorkload&) const = default;
};

// A value that lives in memory while the network runs, for the activation peak: made before `first` and last read by `last` (indices into
// Workload::ops; -1 = network input).
struct LiveValue {
  int first, last;
  std::int64_t elements;
  int bits;
  bool operator==(const LiveValue&) const = default;
};

struct Workload {
  std::vector<OpWorkload> ops;         // in network order
  std::vector<LiveValue> values;
};

// Everything about the network that does not depend on the policy is worked out once; then a workload costs no tensor and no search.
// Thread-safe.
class WorkloadBuilder {
 public:
  WorkloadBuilder(const models::Network& network, const CouplingAnalysis& analysis, std::int64_t batch);

  // kept_counts: by group of the analysis (unpruned size where not pruned). bits: by node index; 32 for nodes that are not layers.
  struct Bits { int weight = 32, activation = 32; };
  Workload build(const std::vector<std::int64_t>& kept_counts, const std::vector<Bits>& bits) const;
  // One operator of it alone.
  OpWorkload build_op(int op, const std::vector<std::int64_t>& kept_counts, const std::vector<Bits>& bits) const;

  int op_count() const;
  // Groups and nodes (for their bits) that operator `op` depends on; all else leaves it as it is.
  struct Dependencies { std::vector<int> groups, nodes; };
  Dependencies dependencies(int op) const;

  std::vector<std::int64_t> full_counts() const;     // unpruned

 private:
  struct Template;                      // one operator with its axis expressions
  std::vector<Template> templates_;
};

// The workload of a candidate and of a policy file.
Workload workload_of(const WorkloadBuilder& builder, const SearchSpace& space, const Candidate& candidate);
Workload workload_of(const WorkloadBuilder& builder, const models::Network& network, const CouplingAnalysis& analysis, const Policy& policy);

}  // namespace lathe::policies
