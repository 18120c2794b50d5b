#include "hwmodels/op_tables.h"

#include <algorithm>
#include <optional>
#include <span>

#include "hwmodels/latency_term.h"
#include "hwmodels/memory_use.h"
#include "models/base/vector_versions.h"

namespace lathe::hwmodels {
namespace {

using policies::Candidate;
using policies::OpWorkload;
using policies::WorkloadSetting;

// Of one operator: 16 bytes of cost and 8 of weights each. More than that would not stay in any cache.
constexpr std::size_t kMostEntries = 1 << 16;

}  // namespace

OpTables::OpTables(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space, const HardwareModel& model,
                   ChoiceTableMaker& maker, CandidateDigits& digits)
    : builder_(builder), space_(space), model_(model) {
  std::vector<OpTable> tables;
  for (int op = 0; op < builder.op_count(); ++op) add_op(maker, digits, op, tables);
  merge_tables(digits, tables);
  for (const OpTable& table : tables) keep(table);
}

OpTotals OpTables::totals_of(const OpWorkload& op) const {
  const OpCost cost = model_.is_additive() ? model_.op_cost(op) : OpCost{};
  return {.cost = {cost.latency_ms, cost.energy_mj}, .weight_bytes = op_weight_bytes(op, model_.device().capabilities)};
}

void OpTables::add_op(ChoiceTableMaker& maker, const CandidateDigits& digits, int op, std::vector<OpTable>& tables) {
  const OpWorkload at_base = builder_.build_op(op, maker.base().kept_counts, maker.base().bits);
  // A fused operator costs nothing; without constants it needs no digits either.
  if (builder_.is_always_fused(op) && at_base.weight_elements == 0 && at_base.table_elements == 0) return;
  const std::optional<ChoiceTable> index = maker.for_op(op, kMostEntries);
  if (!index) {
    direct_ops_.push_back(op);
    return;
  }
  OpTable table{.index = *index, .costs = std::vector<OpSum>(index->entries), .weight_bytes = std::vector<std::int64_t>(index->entries)};
  for_each_entry(*index, digits, maker.base(), [&](std::size_t entry, const WorkloadSetting& setting) {
    const OpTotals totals = totals_of(builder_.build_op(op, setting.kept_counts, setting.bits));
    table.costs[entry] = totals.cost;
    table.weight_bytes[entry] = totals.weight_bytes;
  });
  table.drop_idle_axes();
  if (!table.index.axes.empty()) {
    tables.push_back(std::move(table));
    return;
  }
  constant_.cost += table.costs.front();
  constant_.weight_bytes += table.weight_bytes.front();
}

void OpTables::keep(const OpTable& table) {
  const auto is_equal = [&](const std::pair<std::size_t, std::size_t>& block) {
    const auto first = static_cast<std::ptrdiff_t>(block.first);
    return block.second == table.index.entries && std::equal(table.costs.begin(), table.costs.end(), costs_.begin() + first) &&
           std::equal(table.weight_bytes.begin(), table.weight_bytes.end(), weight_bytes_.begin() + first);
  };
  auto block = std::find_if(blocks_.begin(), blocks_.end(), is_equal);
  if (block == blocks_.end()) {
    block = blocks_.insert(block, {costs_.size(), table.index.entries});
    costs_.insert(costs_.end(), table.costs.begin(), table.costs.end());
    weight_bytes_.insert(weight_bytes_.end(), table.weight_bytes.begin(), table.weight_bytes.end());
  }
  index_.add(table.index, /*id=*/0, block->first);
  tables_.emplace_back(table.index, block->first);
}

policies::AdditiveCost OpTables::latency(const CandidateDigits& digits, std::size_t most_values) const {
  policies::AdditiveCost sum{.constant = constant_.cost.latency_ms, .is_exact = is_complete()};
  for (const auto& [table, first_entry] : tables_)
    sum.terms.push_back(latency_term(table, std::span(costs_).subspan(first_entry, table.entries), digits, most_values, sum.is_exact));
  return sum;
}

OpSum OpTables::cost(const Candidate& candidate, const std::uint32_t* digits) const {
  OpSum sum = constant_.cost;
  index_.for_each(digits, [&sum, costs = costs_.data()](std::uint32_t, std::uint32_t entry) { sum += costs[entry]; });
  if (direct_ops_.empty()) return sum;
  const WorkloadSetting setting = policies::setting_of(builder_, space_, candidate);
  for (const int op : direct_ops_) sum += totals_of(builder_.build_op(op, setting.kept_counts, setting.bits)).cost;
  return sum;
}

OpTotals OpTables::totals(const Candidate& candidate, const std::uint32_t* digits) const {
  OpTotals sum = constant_;
  index_.for_each(digits, [&sum, costs = costs_.data(), bytes = weight_bytes_.data()](std::uint32_t, std::uint32_t entry) {
    sum.cost += costs[entry];
    sum.weight_bytes += bytes[entry];
  });
  if (direct_ops_.empty()) return sum;
  const WorkloadSetting setting = policies::setting_of(builder_, space_, candidate);
  for (const int op : direct_ops_) {
    const OpTotals of_op = totals_of(builder_.build_op(op, setting.kept_counts, setting.bits));
    sum.cost += of_op.cost;
    sum.weight_bytes += of_op.weight_bytes;
  }
  return sum;
}

LATHE_VECTOR_VERSIONS
void OpTables::costs(const float* lane_digits, OpSum* sums) const {
  std::fill_n(sums, TableIndex::kLanes, constant_.cost);
  index_.for_each_in_lanes(lane_digits, [sums, all = costs_.data()](std::uint32_t, std::uint32_t first, const auto& entries) {
    for (std::size_t lane = 0; lane < TableIndex::kLanes; ++lane) sums[lane] += all[first + static_cast<std::uint32_t>(entries[lane])];
  });
}

}  // namespace lathe::hwmodels
