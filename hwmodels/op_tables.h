// Latency, energy and weight bytes of operators as sums of look-ups, in as few tables as the second-level cache bears.
//
// What costs the same under every choice is one constant. A table whose axes another table has too, or which makes that one only a few
// times larger (the addition that ends a residual block, into the convolution before it), is added into it: a ResNet-56 is left with one
// look-up a layer. Tables of equal entries then share them.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "hwmodels/candidate_digits.h"
#include "hwmodels/choice_table.h"
#include "hwmodels/hardware_model.h"
#include "hwmodels/op_table.h"
#include "hwmodels/table_index.h"
#include "policies/additive_cost.h"
#include "policies/search_space.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

struct OpTotals {
  OpSum cost;
  std::int64_t weight_bytes = 0;
};

class OpTables {
 public:
  // The device's model; operators cost nothing where it is not additive. All references but `maker` must outlive the tables; `maker` adds
  // to `digits`.
  OpTables(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space, const HardwareModel& model,
           ChoiceTableMaker& maker, CandidateDigits& digits);

  // digits: see DigitEvaluator::evaluate.
  OpSum cost(const policies::Candidate& candidate, const std::uint32_t* digits) const;
  OpTotals totals(const policies::Candidate& candidate, const std::uint32_t* digits) const;
  // The cost of TableIndex::kLanes candidates by their digits (see evaluate_lanes); only where is_complete().
  void costs(const float* lane_digits, OpSum* sums) const;
  const TableIndex& index() const { return index_; }
  // Latency as a sum over decisions. A term of more than `most_values` leaves out what depends on most decisions, at its lowest cost, and
  // an operator without a table counts nothing; either makes the sum inexact.
  policies::AdditiveCost latency(const CandidateDigits& digits, std::size_t most_values) const;
  // Whether every operator has a table.
  bool is_complete() const { return direct_ops_.empty(); }

 private:
  OpTotals totals_of(const policies::OpWorkload& op) const;
  void add_op(ChoiceTableMaker& maker, const CandidateDigits& digits, int op, std::vector<OpTable>& tables);
  void keep(const OpTable& table);

  const policies::WorkloadBuilder& builder_;
  const policies::SearchSpace& space_;
  const HardwareModel& model_;
  OpTotals constant_;            // of operators that no decision changes
  std::vector<int> direct_ops_;  // with too many choices for a table
  TableIndex index_;
  std::vector<std::pair<ChoiceTable, std::size_t>> tables_;  // those in index_, with their first entries
  // Entries of all tables, and which of them a table holds: first entry, entries.
  std::vector<OpSum> costs_;
  std::vector<std::int64_t> weight_bytes_;
  std::vector<std::pair<std::size_t, std::size_t>> blocks_;
};

}  // namespace lathe::hwmodels
