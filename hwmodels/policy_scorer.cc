#include "hwmodels/policy_scorer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "hwmodels/activation_schedule.h"
#include "hwmodels/choice_table.h"
#include "hwmodels/memory_use.h"
#include "hwmodels/pipeline_tables.h"
#include "hwmodels/table_index.h"
#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

using policies::Candidate;
using policies::LiveValue;
using policies::OpWorkload;
using policies::WorkloadSetting;

// Entries of a table, of 16 bytes and 8 of weights: more than that would not stay in any cache.
constexpr std::size_t kMostEntries = 1 << 16;
constexpr std::size_t kLanes = CandidateDigits::kLanes;

struct OpEntry {
  double latency_ms = 0, energy_mj = 0;
  bool operator==(const OpEntry&) const = default;
};

// What scoring one candidate writes to; kept from call to call.
struct Scratch {
  std::vector<std::uint32_t> digits;
  std::vector<float> lane_digits;
  std::vector<std::int64_t> value_bytes, change;
};
Scratch& scratch_of_thread() {
  thread_local Scratch scratch;
  return scratch;
}

// Entries of many operators. Operators of equal entries share them.
struct OpEntries {
  std::vector<OpEntry> costs;
  std::vector<std::int64_t> weight_bytes;                   // beside `costs`
  std::vector<std::pair<std::size_t, std::size_t>> blocks;  // first entry, entries

  // Where the entries stand.
  std::size_t add(const std::vector<OpEntry>& new_costs, const std::vector<std::int64_t>& new_bytes) {
    for (const auto& [first, count] : blocks) {
      const auto at = static_cast<std::ptrdiff_t>(first);
      if (count == new_costs.size() && std::equal(new_costs.begin(), new_costs.end(), costs.begin() + at) &&
          std::equal(new_bytes.begin(), new_bytes.end(), weight_bytes.begin() + at)) {
        return first;
      }
    }
    blocks.emplace_back(costs.size(), new_costs.size());
    costs.insert(costs.end(), new_costs.begin(), new_costs.end());
    weight_bytes.insert(weight_bytes.end(), new_bytes.begin(), new_bytes.end());
    return blocks.back().first;
  }
};

}  // namespace

struct PolicyScorer::Tables {
  Tables(const policies::WorkloadBuilder& builder_in, const policies::SearchSpace& space_in, const HardwareModel& model_in)
      : builder(builder_in),
        space(space_in),
        model(model_in),
        capabilities(model_in.device().capabilities),
        digits(space_in),
        schedule(builder_in.op_count(), lives_of(builder_in)) {
    ChoiceTableMaker maker(builder, space, capabilities, digits);
    for (int op = 0; op < builder.op_count(); ++op) add_op(maker, op);
    cost_digits = digits.size();
    fixed_value_bytes.resize(static_cast<std::size_t>(builder.value_count()));
    for (int value = 0; value < builder.value_count(); ++value) {
      if (schedule.matters(value)) add_value(maker, value);
    }
    if (!model.is_additive()) pipeline = std::make_unique<PipelineTables>(builder, space, model.device(), maker);
    limits = memory_limits(model.device());
  }

  static std::vector<LiveValue> lives_of(const policies::WorkloadBuilder& builder) {
    const std::vector<policies::WorkloadBuilder::Bits> bits(static_cast<std::size_t>(builder.node_count()));
    return builder.build(builder.full_counts(), bits).values;
  }

  OpEntry entry_of(const OpWorkload& op) const {
    const OpCost cost = model.is_additive() ? model.op_cost(op) : OpCost{};
    return {cost.latency_ms, cost.energy_mj};
  }

  void add_op(ChoiceTableMaker& maker, int op) {
    const std::optional<ChoiceTable> table = maker.for_op(op, kMostEntries);
    if (!table) {
      direct_ops.push_back(op);
      return;
    }
    std::vector<OpEntry> costs(table->entries);
    std::vector<std::int64_t> bytes(table->entries);
    for_each_entry(*table, digits, maker.base(), [&](std::size_t entry, const WorkloadSetting& setting) {
      const OpWorkload work = builder.build_op(op, setting.kept_counts, setting.bits);
      costs[entry] = entry_of(work);
      bytes[entry] = op_weight_bytes(work, capabilities);
    });
    if (!table->axes.empty()) {
      op_index.add(*table, static_cast<std::uint32_t>(op), op_entries.add(costs, bytes));
      return;
    }
    // No decision changes it.
    add_entry(costs.front(), constant);
    constant_weight_bytes += bytes.front();
  }

  void add_value(ChoiceTableMaker& maker, int value) {
    const auto bytes_at = [&](const WorkloadSetting& setting) {
      return value_bytes(builder.build_value(value, setting.kept_counts, setting.bits), capabilities);
    };
    const std::optional<ChoiceTable> table = maker.for_value(value, kMostEntries);
    if (!table) {
      direct_values.push_back(value);
    } else if (table->axes.empty()) {
      fixed_value_bytes[static_cast<std::size_t>(value)] = bytes_at(maker.base());
    } else {
      const std::size_t first = value_entries.size();
      value_entries.resize(first + table->entries);
      for_each_entry(*table, digits, maker.base(),
                     [&](std::size_t entry, const WorkloadSetting& setting) { value_entries[first + entry] = bytes_at(setting); });
      value_index.add(*table, static_cast<std::uint32_t>(value), first);
    }
  }

  static void add_entry(const OpEntry& entry, OpEntry& sum) {
    sum.latency_ms += entry.latency_ms;
    sum.energy_mj += entry.energy_mj;
  }

  // has_bytes: weight bytes too.
  template <bool has_bytes>
  DeviceScore cost(const Candidate& candidate, const std::uint32_t* candidate_digits) const {
    OpEntry sum = constant;
    std::int64_t bytes = has_bytes ? constant_weight_bytes : 0;
    op_index.for_each(candidate_digits,
                      [&, costs = op_entries.costs.data(), all_bytes = op_entries.weight_bytes.data()](std::uint32_t, std::uint32_t entry) {
                        add_entry(costs[entry], sum);
                        if constexpr (has_bytes) bytes += all_bytes[entry];
                      });
    if (!direct_ops.empty()) {
      const WorkloadSetting setting = policies::setting_of(builder, space, candidate);
      for (const int op : direct_ops) {
        const OpWorkload work = builder.build_op(op, setting.kept_counts, setting.bits);
        add_entry(entry_of(work), sum);
        if constexpr (has_bytes) bytes += op_weight_bytes(work, capabilities);
      }
    }
    return {.latency_ms = sum.latency_ms, .energy_mj = sum.energy_mj, .weight_bytes = bytes};
  }

  // Up to kLanes candidates.
  void costs(std::span<const Candidate> candidates, Scratch& scratch, std::span<DeviceScore> scores) const {
    std::array<const int*, kLanes> choices;
    for (std::size_t lane = 0; lane < kLanes; ++lane) choices[lane] = candidates[std::min(lane, candidates.size() - 1)].choices.data();
    scratch.lane_digits.resize(std::max(scratch.lane_digits.size(), digits.size() * kLanes));
    digits.evaluate_lanes(choices, cost_digits, scratch.lane_digits.data());
    std::array<OpEntry, kLanes> sums;
    sums.fill(constant);
    op_index.for_each_in_lanes(scratch.lane_digits.data(),
                               [&sums, all = op_entries.costs.data()](std::uint32_t, std::uint32_t first, const auto& entries) {
                                 const OpEntry* costs = all + first;
                                 for (std::size_t lane = 0; lane < kLanes; ++lane) add_entry(costs[entries[lane]], sums[lane]);
                               });
    for (std::size_t lane = 0; lane < candidates.size(); ++lane) {
      scores[lane] = {.latency_ms = sums[lane].latency_ms, .energy_mj = sums[lane].energy_mj};
    }
  }

  std::int64_t peak_bytes(const Candidate& candidate, Scratch& scratch) const {
    scratch.value_bytes = fixed_value_bytes;
    scratch.change.resize(static_cast<std::size_t>(schedule.moment_count()) + 1);
    value_index.for_each(scratch.digits.data(), [bytes = scratch.value_bytes.data(), entries = value_entries.data()](
                                                    std::uint32_t value, std::uint32_t entry) { bytes[value] = entries[entry]; });
    if (!direct_values.empty()) {
      const WorkloadSetting setting = policies::setting_of(builder, space, candidate);
      for (const int value : direct_values) {
        scratch.value_bytes[static_cast<std::size_t>(value)] =
            value_bytes(builder.build_value(value, setting.kept_counts, setting.bits), capabilities);
      }
    }
    return schedule.peak_bytes(scratch.value_bytes.data(), scratch.change.data());
  }

  const policies::WorkloadBuilder& builder;
  const policies::SearchSpace& space;
  const HardwareModel& model;
  const policies::DeviceCapabilities& capabilities;
  MemoryLimits limits = std::numeric_limits<double>::infinity();

  CandidateDigits digits;
  std::size_t cost_digits = 0;  // the first ones, which latency and energy need
  TableIndex op_index;
  OpEntries op_entries;
  OpEntry constant;  // operators that no decision changes
  std::int64_t constant_weight_bytes = 0;
  std::vector<int> direct_ops;

  ActivationSchedule schedule;
  TableIndex value_index;
  std::vector<std::int64_t> value_entries;
  std::vector<std::int64_t> fixed_value_bytes;  // by value; 0 where a candidate decides
  std::vector<int> direct_values;

  std::unique_ptr<PipelineTables> pipeline;  // of a dataflow pipeline, else null
};

PolicyScorer::PolicyScorer(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space, const HardwareModel& model)
    : tables_(std::make_unique<Tables>(builder, space, model)) {}

PolicyScorer::~PolicyScorer() = default;

DeviceScore PolicyScorer::score_cost(const Candidate& candidate) const {
  if (tables_->pipeline) return score(candidate);
  Scratch& scratch = scratch_of_thread();
  scratch.digits.resize(std::max(scratch.digits.size(), tables_->digits.size()));
  tables_->digits.evaluate(candidate.choices.data(), tables_->cost_digits, scratch.digits.data());
  return tables_->cost</*has_bytes=*/false>(candidate, scratch.digits.data());
}

void PolicyScorer::score_costs(std::span<const Candidate> candidates, std::span<DeviceScore> scores) const {
  LATHE_CHECK_EQ(candidates.size(), scores.size());
  if (tables_->pipeline || !tables_->direct_ops.empty()) {
    for (std::size_t i = 0; i < candidates.size(); ++i) scores[i] = score_cost(candidates[i]);
    return;
  }
  for (std::size_t first = 0; first < candidates.size(); first += kLanes) {
    const std::size_t count = std::min(kLanes, candidates.size() - first);
    tables_->costs(candidates.subspan(first, count), scratch_of_thread(), scores.subspan(first, count));
  }
}

DeviceScore PolicyScorer::score(const Candidate& candidate) const {
  Scratch& scratch = scratch_of_thread();
  scratch.digits.resize(std::max(scratch.digits.size(), tables_->digits.size()));
  tables_->digits.evaluate(candidate.choices.data(), tables_->digits.size(), scratch.digits.data());
  DeviceScore score = tables_->cost</*has_bytes=*/true>(candidate, scratch.digits.data());
  score.peak_activation_bytes = tables_->peak_bytes(candidate, scratch);
  if (tables_->pipeline) {
    const PipelineFigures figures = tables_->pipeline->plan(candidate, scratch.digits.data());
    score.latency_ms = figures.latency_ms;
    score.energy_mj = figures.energy_mj;
    score.is_feasible = figures.is_feasible;
  } else {
    score.is_feasible = fits(tables_->limits, score.weight_bytes, score.peak_activation_bytes);
  }
  return score;
}

}  // namespace lathe::hwmodels
