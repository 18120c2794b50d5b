// The stages of a dataflow pipeline by table: what the planner needs of an operator, made when a candidate first asks for it. Operators
// whose stages are alike under all choices (the blocks of a residual network) share a table, which keeps the look-ups in the cache.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "hwmodels/choice_table.h"
#include "hwmodels/fpga_dataflow_model.h"
#include "hwmodels/table_index.h"

namespace lathe::hwmodels {

// Thread-safe after construction.
class PipelineTables {
 public:
  // All references but `maker` and `digits` must outlive the tables. `maker` adds to `digits` those that `plan` is to be given.
  PipelineTables(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space, const DeviceSpec& device,
                 ChoiceTableMaker& maker, const CandidateDigits& digits);
  ~PipelineTables();

  const TableIndex& index() const { return index_; }
  PipelineFigures plan(const policies::Candidate& candidate, const std::uint32_t* digits) const;

 private:
  using Descriptions = std::vector<StageDescription>;
  Descriptions descriptions_of(int op, const ChoiceTable& table, const CandidateDigits& digits, const ChoiceTableMaker& maker) const;
  // Nothing where the candidate does without the operator.
  std::optional<PreparedStage> prepare(const policies::Candidate& candidate, int op) const;
  const PreparedStage& stage_at(const policies::Candidate& candidate, std::uint32_t stage, std::uint32_t entry) const;

  const policies::WorkloadBuilder& builder_;
  const policies::SearchSpace& space_;
  DataflowPlanner planner_;
  mutable StageOptionsCache options_;
  std::vector<int> ops_;                      // by stage
  std::vector<std::uint32_t> direct_stages_;  // with too many choices for a table
  TableIndex index_;
  mutable std::vector<std::atomic<const PreparedStage*>> entries_;
  double images_ = 1;
};

}  // namespace lathe::hwmodels
