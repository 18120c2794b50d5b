#include "hwmodels/policy_scorer.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "hwmodels/choice_table.h"
#include "hwmodels/fpga_dataflow_model.h"
#include "hwmodels/memory_use.h"

namespace lathe::hwmodels {
namespace {

using policies::Candidate;
using policies::OpWorkload;
using policies::WorkloadSetting;

// Entries of a table (24 bytes each): more than that would not stay in any cache. Prepared stages are made on demand, so their tables hold
// a pointer an entry.
constexpr std::size_t kMostEntries = 1 << 16;
constexpr std::size_t kMostStages = 1 << 18;

struct OpEntry {
  double latency_ms = 0, energy_mj = 0;
  std::int64_t weight_bytes = 0;
};

struct OpTable {
  ChoiceTable choices;
  std::vector<OpEntry> entries;
};

struct ValueTable {
  ChoiceTable choices;
  std::vector<std::int64_t> bytes;
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
    memory_limit_bytes = model.device().value_or("memory_bytes", std::numeric_limits<double>::infinity());
  }

  OpEntry entry_of(const OpWorkload& op) const {
    const OpCost cost = model.is_additive() ? model.op_cost(op) : OpCost{};
    return {cost.latency_ms, cost.energy_mj, op_weight_bytes(op, capabilities)};
  }

  void add_op(const ChoiceTableMaker& maker, int op) {
    std::optional<ChoiceTable> choices = maker.for_op(op, kMostEntries);
    if (!choices) {
      direct_ops.push_back(op);
      return;
    }
    OpTable table{std::move(*choices), {}};
    table.entries.resize(table.choices.entries());
    table.choices.for_each_entry(maker.base(), space, [&](std::size_t index, const WorkloadSetting& setting) {
      table.entries[index] = entry_of(builder.build_op(op, setting.kept_counts, setting.bits));
    });
    if (table.entries.size() == 1) {
      add_entry(table.entries.front(), constant);
    } else {
      op_tables.push_back(std::move(table));
    }
  }

  void add_value(const ChoiceTableMaker& maker, int value) {
    const policies::LiveValue live = builder.build_value(value, maker.base().kept_counts, maker.base().bits);
    lives.push_back({std::max(live.first, 0), std::min(live.last, builder.op_count() - 1)});
    std::optional<ChoiceTable> choices = maker.for_value(value, kMostEntries);
    value_tables.emplace_back();
    if (!choices) {
      direct_values.push_back(value);
      return;
    }
    ValueTable& table = value_tables.back();
    table.choices = std::move(*choices);
    table.bytes.resize(table.choices.entries());
    table.choices.for_each_entry(maker.base(), space, [&](std::size_t index, const WorkloadSetting& setting) {
      table.bytes[index] = value_bytes(builder.build_value(value, setting.kept_counts, setting.bits), capabilities);
    });
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
    sum.weight_bytes += entry.weight_bytes;
  }

  DeviceScore cost(const Candidate& candidate) const {
    OpEntry sum = constant;
    const int* choices = candidate.choices.data();
    for (const OpTable& table : op_tables) add_entry(table.entries[table.choices.index(choices)], sum);
    if (!direct_ops.empty()) {
      const WorkloadSetting setting = policies::setting_of(builder, space, candidate);
      for (const int op : direct_ops) add_entry(entry_of(builder.build_op(op, setting.kept_counts, setting.bits)), sum);
    }
    return {.latency_ms = sum.latency_ms, .energy_mj = sum.energy_mj, .weight_bytes = sum.weight_bytes};
  }

  std::int64_t peak_bytes(const Candidate& candidate) const {
    // Scratch of the thread: one slot an operator and one beyond, as in peak_activation_bytes.
    thread_local std::vector<std::int64_t> change;
    change.assign(static_cast<std::size_t>(builder.op_count()) + 1, 0);
    const auto add = [&](std::size_t value, std::int64_t bytes) {
      if (lives[value].last < lives[value].first) return;
      change[static_cast<std::size_t>(lives[value].first)] += bytes;
      change[static_cast<std::size_t>(lives[value].last) + 1] -= bytes;
    };
    for (std::size_t value = 0; value < value_tables.size(); ++value) {
      const ValueTable& table = value_tables[value];
      if (!table.bytes.empty()) add(value, table.bytes[table.choices.index(candidate.choices.data())]);
    }
    if (!direct_values.empty()) {
      const WorkloadSetting setting = policies::setting_of(builder, space, candidate);
      for (const int value : direct_values) {
        add(static_cast<std::size_t>(value), value_bytes(builder.build_value(value, setting.kept_counts, setting.bits), capabilities));
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
      return planner->prepare(builder.build_op(op, setting->kept_counts, setting->bits));
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
  double memory_limit_bytes = 0;

  std::vector<OpTable> op_tables;
  OpEntry constant;  // operators that no decision changes
  std::vector<int> direct_ops;
  struct Life {
    int first, last;
  };
  std::vector<Life> lives;               // by value
  std::vector<ValueTable> value_tables;  // by value; empty ones are direct
  std::vector<int> direct_values;

  // Of a dataflow pipeline.
  std::unique_ptr<DataflowPlanner> planner;
  std::vector<StageTable> stage_tables;
  std::vector<bool> is_direct_stage;
  int direct_stages = 0;
  double images = 1;
};

PolicyScorer::PolicyScorer(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space, const HardwareModel& model)
    : tables_(std::make_unique<Tables>(builder, space, model)) {}

PolicyScorer::~PolicyScorer() = default;

DeviceScore PolicyScorer::score_cost(const Candidate& candidate) const {
  return tables_->model.is_additive() ? tables_->cost(candidate) : score(candidate);
}

DeviceScore PolicyScorer::score(const Candidate& candidate) const {
  DeviceScore score = tables_->cost(candidate);
  score.peak_activation_bytes = tables_->peak_bytes(candidate);
  if (!tables_->model.is_additive()) {
    tables_->add_pipeline(candidate, score);
  } else {
    const double used = static_cast<double>(score.weight_bytes) + static_cast<double>(score.peak_activation_bytes);
    score.is_feasible = used <= tables_->memory_limit_bytes;
  }
  return score;
}

}  // namespace lathe::hwmodels
