// The tables behind WorkloadBuilder: each operator and each live value with its sizes as expressions over kept channels, and the layers
// whose widths decide how wide it is in memory.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "policies/residual_blocks.h"
#include "policies/size_expression.h"
#include "policies/workload.h"

namespace lathe::policies {

// The width of a value in memory follows from who reads it, itself or behind others.
struct Reader {
  int node = -1;           // a layer: its activation width; -1: what wants `floor` bits whatever the policy says
  int floor = 0;           // 32 of what reads floats, 8 of an integer Add, Concat or average pooling
  bool is_behind = false;  // behind such an operator, from where on the value is at least 8 bits wide
  std::vector<int> adds;   // Adds of residual blocks on the way; each counts as such an operator while it is there
  int add = -1;            // the Add that this floor is of, if a residual block's
  bool operator==(const Reader&) const = default;
};

// Behind two operators that stay, nobody is asked any more.
struct Reading {
  std::vector<Reader> readers;
  int bits(const std::vector<WorkloadBuilder::Bits>& bits) const;
};

// Which part of a layer that may be factored an operator is. The second is the whole layer where it is not factored.
enum class FactorRole { kNone, kFirst, kSecond };

// A place where tokens can be dropped.
struct TokenDrop {
  Extent before, after;
  bool drops(const std::vector<std::int64_t>& kept_counts) const { return after(kept_counts) < before(kept_counts); }
};

struct OpTemplate {
  OpWorkload fixed;  // everything that no policy changes
  bool has_macs = false;
  bool is_layer = false;  // its widths are its own decisions
  Extent in_channels, out_channels;
  Size in_height, in_width, out_height, out_width;  // but for Gemm and MatMul
  Extent weight_axis;                               // extent of the weight's axis 1, which gives the number of convolution groups
  Size stack;                                       // MatMul: matrices a sample
  Size positions;                                   // Gemm and MatMul: rows a sample
  Size weight_elements;
  std::vector<Size> tables, inputs, outputs;
  Reading input_reading, output_reading;
  FactorRole factor = FactorRole::kNone;
  std::optional<TokenDrop> drop;  // of a selection of tokens
};

struct LiveTemplate {
  int first = -1, last = -1;
  Size elements;
  Reading reading;
  int reuses = -1;                      // see LiveValue
  int part_of = -1;                     // the node of a residual block's branch that makes it, with which it goes
  int unfactored = -1;                  // the layer that reads it while it is whole; its first factor does else
  int between = -1;                     // the layer between whose factors it lies; `elements` are then those of the layer's result
  std::optional<TokenDrop> only_for{};  // in memory only where that drops tokens
};

struct WorkloadBuilder::Tables {
  std::vector<OpTemplate> ops;
  std::vector<LiveTemplate> values;
  std::vector<std::int64_t> full_counts;
  std::vector<int> token_groups;
  std::map<int, int> scores_of_tokens;  // by group of tokens: the node that scores them
  int node_count = 0;
  std::int64_t batch = 1;
  std::vector<bool> is_in_block;  // by node: in the branch of a residual block, or its Add
  std::map<int, int> whole;       // by the node of a factorable layer: its operator, the second factor
};

std::vector<OpTemplate> make_op_templates(const models::Network& network, const CouplingAnalysis& analysis, std::int64_t batch,
                                          const std::vector<int>& factorable, const std::vector<ResidualBlock>& blocks);
std::vector<LiveTemplate> make_live_templates(const models::Network& network, const CouplingAnalysis& analysis, std::int64_t batch,
                                              const std::vector<OpTemplate>& ops, const std::vector<ResidualBlock>& blocks);

// Element counts of values as expressions. `batch` fixes the extents that depend on it.
class SizeTable {
 public:
  SizeTable(const models::Network& network, const CouplingAnalysis& analysis, std::int64_t batch);
  Extent extent(models::ValueId id, std::size_t axis) const;  // 1 for an axis that the value lacks
  Size elements(models::ValueId id) const;
  // What TokenScores nodes and SelectTokens nodes serve, by node index.
  std::map<int, TokenDrop> token_drops() const;
  const models::Shape& shape(models::ValueId id) const { return shapes_[static_cast<std::size_t>(id)]; }

 private:
  const models::Network& network_;
  const CouplingAnalysis& analysis_;
  std::vector<models::Shape> shapes_;
};

// Who reads each value, through operators that keep its elements what they are.
class ReadingTable {
 public:
  ReadingTable(const models::Network& network, const std::vector<ResidualBlock>& blocks);
  Reading of(const std::vector<models::ValueId>& ids) const;

 private:
  struct Way {
    bool is_behind = false;
    std::vector<int> adds;
    auto operator<=>(const Way&) const = default;
  };
  using Visited = std::set<std::pair<models::ValueId, Way>>;
  void collect(models::ValueId id, const Way& way, Visited& visited, Reading& reading) const;
  void collect_reader(int reader, models::ValueId id, const Way& way, Visited& visited, Reading& reading) const;

  const models::Network& network_;
  std::vector<std::vector<int>> consumers_;
  std::vector<bool> is_static_, is_output_;
  std::vector<int> root_;
  std::set<int> adds_;  // of residual blocks
};

}  // namespace lathe::policies
