// The tables behind WorkloadBuilder: each operator and each live value with its sizes as expressions over kept channels, and the layers
// whose widths decide how wide it is in memory.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policies/size_expression.h"
#include "policies/workload.h"

namespace lathe::policies {

// The width of a value in memory follows from who reads it.
struct Reading {
  int floor = 0;            // at least this: 32 where something reads floats, 8 behind an integer Add, Concat or average pooling
  std::vector<int> nodes;   // layers that read it: their activation widths
  std::vector<int> behind;  // layers behind an Add, Concat or pooling: their widths, but at least 8

  int bits(const std::vector<WorkloadBuilder::Bits>& bits) const;
};

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
  std::optional<TokenDrop> drop;  // of a selection of tokens
};

struct LiveTemplate {
  int first = -1, last = -1;
  Size elements;
  Reading reading;
  int reuses = -1;  // see LiveValue
  std::optional<TokenDrop> only_for;  // in memory only where that drops tokens
};

struct WorkloadBuilder::Tables {
  std::vector<OpTemplate> ops;
  std::vector<LiveTemplate> values;
  std::vector<std::int64_t> full_counts;
  std::vector<int> token_groups;
  int node_count = 0;
};

std::vector<OpTemplate> make_op_templates(const models::Network& network, const CouplingAnalysis& analysis, std::int64_t batch);
std::vector<LiveTemplate> make_live_templates(const models::Network& network, const CouplingAnalysis& analysis, std::int64_t batch,
                                              const std::vector<OpTemplate>& ops);

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
  explicit ReadingTable(const models::Network& network);
  Reading of(const std::vector<models::ValueId>& ids) const;

 private:
  void collect(models::ValueId id, bool is_behind, std::vector<char>& visited, Reading& reading) const;
  void collect_reader(int reader, models::ValueId id, bool is_behind, std::vector<char>& visited, Reading& reading) const;

  const models::Network& network_;
  std::vector<std::vector<int>> consumers_;
  std::vector<bool> is_static_, is_output_;
  std::vector<int> root_;
};

}  // namespace lathe::policies
