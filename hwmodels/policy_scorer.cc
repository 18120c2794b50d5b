#include "hwmodels/policy_scorer.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "hwmodels/choice_table.h"
#include "hwmodels/fpga_dataflow_model.h"
#include "hwmodels/memory_use.h"

namespace lathe::hwmodels {
namespace {

using policies::Candidate;
using policies::OpWorkload;
using policies::WorkloadSetting;

// Entries of a table, of 16 bytes and 8 of weights: more than that would not stay in any cache. Prepared stages are made on demand, so
// their tables hold a pointer an entry.
constexpr std::size_t kMostEntries = 1 << 16;
constexpr std::size_t kMostStages = 1 << 18;

struct OpEntry {
  double latency_ms = 0, energy_mj = 0;
};

// Prepared stages of one operator, made when first asked for. Whoever comes second throws its own away.
class StageTable {
 public:
  StageTable(ChoiceTable choices, int op) : choices_(std::move(choices)), op_(op), stages_(choices_.entries()) {}
  StageTable(StageTable&& other) noexcept : choices_(std::move(other.choices_)), op_(other.op_), stages_(std::move(other.stages_)) {}
  StageTable(const StageTable&) = delete;
  ~StageTable() {
    for (const std::atomic<const PreparedStage*>& stage : stages_) delete stage.load();
  }

  int op() const { return op_; }

  template <typename Make>
  const PreparedStage* at(const int* choices, const Make& make) const {
    std::atomic<const PreparedStage*>& slot = stages_[choices_.index(choices)];
    if (const PreparedStage* found = slot.load(std::memory_order_acquire)) return found;
    auto made = std::make_unique<const PreparedStage>(make());
    const PreparedStage* expected = nullptr;
    if (slot.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return made.release();
    return expected;
  }

 private:
  ChoiceTable choices_;
  int op_;
  mutable std::vector<std::atomic<const PreparedStage*>> stages_;
};

}  // namespace

struct PolicyScorer::Tables {
  Tables(const policies::WorkloadBuilder& builder_in, const policies::SearchSpace& space_in, const HardwareModel& model_in)
      : builder(builder_in), space(space_in), model(model_in), capabilities(model_in.device().capabilities) {
    const ChoiceTableMaker maker(builder, space, capabilities);
    for (int op = 0; op < builder.op_count(); ++op) add_op(maker, op);
    for (int value = 0; value < builder.value_count(); ++value) add_value(maker, value);
    if (!model.is_additive()) add_stages(maker);
    limits = memory_limits(model.device());
  }

  OpEntry entry_of(const OpWorkload& op) const {
    const OpCost cost = model.is_additive() ? model.op_cost(op) : OpCost{};
    return {cost.latency_ms, cost.energy_mj};
  }

  void add_op(const ChoiceTableMaker& maker, int op) {
    const std::optional<ChoiceTable> choices = maker.for_op(op, kMostEntries);
    if (!choices) {
      direct_ops.push_back(op);
      return;
    }
    const std::size_t first = op_entries.size(), count = choices->entries();
    op_entries.resize(first + count);
    op_weight_bytes.resize(first + count);
    choices->for_each_entry(maker.base(), space, [&](std::size_t index, const WorkloadSetting& setting) {
      const OpWorkload work = builder.build_op(op, setting.kept_counts, setting.bits);
      op_entries[first + index] = entry_of(work);
      op_weight_bytes[first + index] = hwmodels::op_weight_bytes(work, capabilities);
    });
    if (count > 1) {
      op_index.add(*choices, first);
      return;
    }
    // No decision changes it.
    add_entry(op_entries.back(), constant);
    constant_weight_bytes += op_weight_bytes.back();
    op_entries.pop_back();
    op_weight_bytes.pop_back();
  }

  void add_value(const ChoiceTableMaker& maker, int value) {
    const policies::LiveValue live = builder.build_value(value, maker.base().kept_counts, maker.base().bits);
    const Life life{std::max(live.first, 0), std::min(live.last, builder.op_count() - 1)};
    if (life.last < life.first) return;
    const std::optional<ChoiceTable> choices = maker.for_value(value, kMostEntries);
    if (!choices) {
      direct_values.emplace_back(value, life);
      return;
    }
    const std::size_t first = value_entries.size();
    value_entries.resize(first + choices->entries());
    choices->for_each_entry(maker.base(), space, [&](std::size_t index, const WorkloadSetting& setting) {
      value_entries[first + index] = value_bytes(builder.build_value(value, setting.kept_counts, setting.bits), capabilities);
    });
    value_index.add(*choices, first);
    lives.push_back(life);
  }

  void add_stages(const ChoiceTableMaker& maker) {
    planner = std::make_unique<DataflowPlanner>(model.device());
    for (int op = 0; op < builder.op_count(); ++op) {
      const OpWorkload work = builder.build_op(op, maker.base().kept_counts, maker.base().bits);
      if (work.is_fused) continue;
      if (stage_tables.empty() && direct_stages == 0) images = static_cast<double>(std::max<std::int64_t>(work.batch, 1));
      std::optional<ChoiceTable> choices = maker.for_op(op, kMostStages);
      if (!choices) ++direct_stages;
      // A table of one entry and the sign that it is not to be used keep the stages in order.
      stage_tables.emplace_back(choices ? std::move(*choices) : ChoiceTable(), op);
      is_direct_stage.push_back(!choices);
    }
  }

  static void add_entry(const OpEntry& entry, OpEntry& sum) {
    sum.latency_ms += entry.latency_ms;
    sum.energy_mj += entry.energy_mj;
  }

  // has_bytes: weight bytes too.
  template <bool has_bytes>
  DeviceScore cost(const Candidate& candidate) const {
    OpEntry sum = constant;
    std::int64_t bytes = has_bytes ? constant_weight_bytes : 0;
    const int* choices = candidate.choices.data();
    for (std::size_t table = 0; table < op_index.size(); ++table) {
      const std::size_t at = op_index.index(table, choices);
      add_entry(op_entries[at], sum);
      if constexpr (has_bytes) bytes += op_weight_bytes[at];
    }
    if (!direct_ops.empty()) {
      const WorkloadSetting setting = policies::setting_of(builder, space, candidate);
      for (const int op : direct_ops) {
        const OpWorkload work = builder.build_op(op, setting.kept_counts, setting.bits);
        add_entry(entry_of(work), sum);
        if constexpr (has_bytes) bytes += hwmodels::op_weight_bytes(work, capabilities);
      }
    }
    return {.latency_ms = sum.latency_ms, .energy_mj = sum.energy_mj, .weight_bytes = bytes};
  }

  std::int64_t peak_bytes(const Candidate& candidate) const {
    // Scratch of the thread: one slot an operator and one beyond, as in peak_activation_bytes.
    thread_local std::vector<std::int64_t> change;
    change.assign(static_cast<std::size_t>(builder.op_count()) + 1, 0);
    const auto add = [&](const Life& life, std::int64_t bytes) {
      change[static_cast<std::size_t>(life.first)] += bytes;
      change[static_cast<std::size_t>(life.last) + 1] -= bytes;
    };
    const int* choices = candidate.choices.data();
    for (std::size_t table = 0; table < value_index.size(); ++table) add(lives[table], value_entries[value_index.index(table, choices)]);
    if (!direct_values.empty()) {
      const WorkloadSetting setting = policies::setting_of(builder, space, candidate);
      for (const auto& [value, life] : direct_values) {
        add(life, value_bytes(builder.build_value(value, setting.kept_counts, setting.bits), capabilities));
      }
    }
    std::int64_t alive = 0, peak = 0;
    for (std::size_t op = 0; op + 1 < change.size(); ++op) peak = std::max(peak, alive += change[op]);
    return peak;
  }

  void add_pipeline(const Candidate& candidate, DeviceScore& score) const {
    std::optional<WorkloadSetting> setting;
    const auto make = [&](int op) {
      if (!setting) setting = policies::setting_of(builder, space, candidate);
      return planner->prepare(builder.build_op(op, setting->kept_counts, setting->bits), stage_options);
    };
    std::vector<PreparedStage> direct;
    direct.reserve(static_cast<std::size_t>(direct_stages));
    std::vector<const PreparedStage*> stages;
    for (std::size_t i = 0; i < stage_tables.size(); ++i) {
      const StageTable& table = stage_tables[i];
      if (is_direct_stage[i]) {
        stages.push_back(&direct.emplace_back(make(table.op())));
      } else {
        stages.push_back(table.at(candidate.choices.data(), [&] { return make(table.op()); }));
      }
    }
    const PipelineFigures figures = planner->plan(stages, images);
    score.latency_ms = figures.latency_ms;
    score.energy_mj = figures.energy_mj;
    score.is_feasible = figures.folding.is_feasible;
  }

  const policies::WorkloadBuilder& builder;
  const policies::SearchSpace& space;
  const HardwareModel& model;
  const policies::DeviceCapabilities& capabilities;
  MemoryLimits limits = std::numeric_limits<double>::infinity();

  ChoiceIndex op_index;
  std::vector<OpEntry> op_entries;
  std::vector<std::int64_t> op_weight_bytes;  // beside op_entries
  OpEntry constant;                           // operators that no decision changes
  std::int64_t constant_weight_bytes = 0;
  std::vector<int> direct_ops;

  struct Life {
    int first, last;  // operators, both included
  };
  ChoiceIndex value_index;
  std::vector<std::int64_t> value_entries;
  std::vector<Life> lives;  // by table of value_index
  std::vector<std::pair<int, Life>> direct_values;

  // Of a dataflow pipeline.
  std::unique_ptr<DataflowPlanner> planner;
  mutable StageOptionsCache stage_options;
  std::vector<StageTable> stage_tables;
  std::vector<bool> is_direct_stage;
  int direct_stages = 0;
  double images = 1;
};

PolicyScorer::PolicyScorer(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space, const HardwareModel& model)
    : tables_(std::make_unique<Tables>(builder, space, model)) {}

PolicyScorer::~PolicyScorer() = default;

DeviceScore PolicyScorer::score_cost(const Candidate& candidate) const {
  return tables_->model.is_additive() ? tables_->cost</*has_bytes=*/false>(candidate) : score(candidate);
}

DeviceScore PolicyScorer::score(const Candidate& candidate) const {
  DeviceScore score = tables_->cost</*has_bytes=*/true>(candidate);
  score.peak_activation_bytes = tables_->peak_bytes(candidate);
  if (!tables_->model.is_additive()) {
    tables_->add_pipeline(candidate, score);
  } else {
    score.is_feasible = fits(tables_->limits, score.weight_bytes, score.peak_activation_bytes);
  }
  return score;
}

}  // namespace lathe::hwmodels
