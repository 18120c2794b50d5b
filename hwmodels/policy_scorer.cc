#include "hwmodels/policy_scorer.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <vector>

#include "hwmodels/activation_schedule.h"
#include "hwmodels/choice_table.h"
#include "hwmodels/digit_evaluator.h"
#include "hwmodels/memory_use.h"
#include "hwmodels/op_tables.h"
#include "hwmodels/pipeline_tables.h"
#include "hwmodels/table_index.h"
#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

using policies::Candidate;
using policies::LiveValue;
using policies::WorkloadSetting;

// Values in a table: more than that would not stay in any cache.
constexpr std::size_t kMostEntries = 1 << 16;
constexpr std::size_t kLanes = TableIndex::kLanes;

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
    ops = std::make_unique<OpTables>(builder, space, model, maker, digits);
    fixed_value_bytes.resize(static_cast<std::size_t>(builder.value_count()));
    for (int value = 0; value < builder.value_count(); ++value) {
      if (schedule.matters(value)) add_value(maker, value);
    }
    if (!model.is_additive()) pipeline = std::make_unique<PipelineTables>(builder, space, model.device(), maker, digits);
    std::vector<int> slots;
    ops->index().append_slots(slots);
    cost_digits = std::make_unique<DigitEvaluator>(digits, slots);
    value_index.append_slots(slots);
    if (pipeline) pipeline->index().append_slots(slots);
    all_digits = std::make_unique<DigitEvaluator>(digits, slots);
    limits = memory_limits(model.device());
  }

  static std::vector<LiveValue> lives_of(const policies::WorkloadBuilder& builder) {
    const std::vector<policies::WorkloadBuilder::Bits> bits(static_cast<std::size_t>(builder.node_count()));
    return builder.build(builder.full_counts(), bits).values;
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

  // Up to kLanes candidates.
  void costs(std::span<const Candidate> candidates, Scratch& scratch, std::span<DeviceScore> scores) const {
    std::array<const int*, kLanes> choices;
    for (std::size_t lane = 0; lane < kLanes; ++lane) choices[lane] = candidates[std::min(lane, candidates.size() - 1)].choices.data();
    scratch.lane_digits.resize(std::max(scratch.lane_digits.size(), digits.size() * kLanes));
    cost_digits->evaluate_lanes(choices, scratch.lane_digits.data());
    std::array<OpSum, kLanes> sums;
    ops->costs(scratch.lane_digits.data(), sums.data());
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
  std::unique_ptr<DigitEvaluator> cost_digits, all_digits;  // what latency and energy need; all
  std::unique_ptr<OpTables> ops;

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
  tables_->cost_digits->evaluate(candidate.choices.data(), scratch.digits.data());
  const OpSum cost = tables_->ops->cost(candidate, scratch.digits.data());
  return {.latency_ms = cost.latency_ms, .energy_mj = cost.energy_mj};
}

void PolicyScorer::score_costs(std::span<const Candidate> candidates, std::span<DeviceScore> scores) const {
  LATHE_CHECK_EQ(candidates.size(), scores.size());
  if (tables_->pipeline || !tables_->ops->is_complete()) {
    for (std::size_t i = 0; i < candidates.size(); ++i) scores[i] = score_cost(candidates[i]);
    return;
  }
  for (std::size_t first = 0; first < candidates.size(); first += kLanes) {
    const std::size_t count = std::min(kLanes, candidates.size() - first);
    tables_->costs(candidates.subspan(first, count), scratch_of_thread(), scores.subspan(first, count));
  }
}

std::optional<policies::AdditiveCost> PolicyScorer::additive_latency(std::size_t most_values) const {
  if (!tables_->model.is_additive()) return std::nullopt;
  return tables_->ops->latency(tables_->digits, most_values);
}

DeviceScore PolicyScorer::score(const Candidate& candidate) const {
  Scratch& scratch = scratch_of_thread();
  scratch.digits.resize(std::max(scratch.digits.size(), tables_->digits.size()));
  tables_->all_digits->evaluate(candidate.choices.data(), scratch.digits.data());
  const OpTotals totals = tables_->ops->totals(candidate, scratch.digits.data());
  DeviceScore score{.latency_ms = totals.cost.latency_ms, .energy_mj = totals.cost.energy_mj, .weight_bytes = totals.weight_bytes};
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
