#include "bench/measurements/nasbench201_cell.h"

#include <array>
#include <vector>

#include "models/base/error.h"

namespace lathe::measurements {
namespace {

enum class EdgeOp { kNone, kSkip, kConv1x1, kConv3x3, kPool };

constexpr int kNodes = 4, kOutput = 3;

EdgeOp edge_op(const std::string& word) {
  constexpr std::array<std::pair<const char*, EdgeOp>, 5> kWords = {{{"none", EdgeOp::kNone},
                                                                     {"skip_connect", EdgeOp::kSkip},
                                                                     {"nor_conv_1x1", EdgeOp::kConv1x1},
                                                                     {"nor_conv_3x3", EdgeOp::kConv3x3},
                                                                     {"avg_pool_3x3", EdgeOp::kPool}}};
  for (const auto& [name, op] : kWords) {
    if (word == name) return op;
  }
  throw UserError(Fault{.key = "arch_str", .expected = "expected an operation of NAS-Bench-201", .got = word});
}

bool is_conv(EdgeOp op) {
  return op == EdgeOp::kConv1x1 || op == EdgeOp::kConv3x3;
}

void count(EdgeOp op, CellKernels& kernels) {
  kernels.zeroings += op == EdgeOp::kNone ? 1 : 0;
  kernels.convs_1x1 += op == EdgeOp::kConv1x1 ? 1 : 0;
  kernels.convs_3x3 += op == EdgeOp::kConv3x3 ? 1 : 0;
  kernels.pools += op == EdgeOp::kPool ? 1 : 0;
}

class Cell {
 public:
  explicit Cell(const CsvRow& row) {
    for (int from = 0; from < kNodes; ++from) {
      for (int to = from + 1; to < kNodes; ++to) ops_[from][to] = edge_op(row.at("e" + std::to_string(from) + std::to_string(to)));
    }
  }

  CellKernels all() const {
    CellKernels kernels;
    for (int to = 1; to < kNodes; ++to) {
      for (int from = 0; from < to; ++from) count(ops_[from][to], kernels);
    }
    return kernels;
  }

  CellKernels needed_for_output() const {
    CellKernels kernels;
    std::array<bool, kNodes> is_needed{};
    is_needed[kOutput] = true;
    for (int to = kOutput; to > 0; --to) {
      if (!is_needed[to]) continue;
      for (int from = 0; from < to; ++from) {
        if (ops_[from][to] != EdgeOp::kNone) {
          count(ops_[from][to], kernels);
          is_needed[from] = true;
        } else if (is_zeroed_conv(from)) {
          is_needed[source(from)] = true;
        }
      }
    }
    return kernels;
  }

 private:
  std::vector<int> summands(int node) const {
    std::vector<int> nodes;
    for (int from = 0; from < node; ++from) {
      if (ops_[from][node] != EdgeOp::kNone) nodes.push_back(from);
    }
    return nodes;
  }

  // The node whose value `node` hands on unchanged.
  int source(int node) const {
    const std::vector<int> from = summands(node);
    return from.size() == 1 && ops_[from.front()][node] == EdgeOp::kSkip ? source(from.front()) : node;
  }

  // Whether all that reads the value multiplies it by zero.
  bool is_zeroed(int node) const {
    if (node == kOutput) return false;
    for (int to = node + 1; to < kNodes; ++to) {
      if (ops_[node][to] == EdgeOp::kNone) continue;
      const bool is_handed_on = ops_[node][to] == EdgeOp::kSkip && summands(to).size() == 1;
      if (!is_handed_on || !is_zeroed(to)) return false;
    }
    return true;
  }

  bool is_zeroed_conv(int node) const {
    const int origin = source(node);
    const std::vector<int> from = summands(origin);
    return from.size() == 1 && is_conv(ops_[from.front()][origin]) && is_zeroed(origin);
  }

  std::array<std::array<EdgeOp, kNodes>, kNodes> ops_{};
};

}  // namespace

CellKernels eager_kernels(const CsvRow& row) {
  return Cell(row).all();
}

CellKernels pruned_kernels(const CsvRow& row) {
  return Cell(row).needed_for_output();
}

}  // namespace lathe::measurements
