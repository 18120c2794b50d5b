#include "hwmodels/pipeline_tables.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace lathe::hwmodels {
namespace {

// A table holds a pointer an entry.
constexpr std::size_t kMostEntries = 1 << 18;

// Stands for a stage of an operator that the candidate does without.
const PreparedStage kNoStage{};

// What planning one candidate writes to; kept from call to call.
struct Scratch {
  std::vector<const PreparedStage*> stages;
  std::vector<PreparedStage> direct;
  DataflowPlanner::Workspace workspace;
};
Scratch& scratch_of_thread() {
  thread_local Scratch scratch;
  return scratch;
}

}  // namespace

PipelineTables::PipelineTables(const policies::WorkloadBuilder& builder, const policies::SearchSpace& space, const DeviceSpec& device,
                               ChoiceTableMaker& maker, const CandidateDigits& digits)
    : builder_(builder), space_(space), planner_(device) {
  std::size_t entries = 0;
  std::vector<std::pair<std::size_t, Descriptions>> known;  // by first entry
  for (int op = 0; op < builder.op_count(); ++op) {
    const policies::OpWorkload work = builder.build_op(op, maker.base().kept_counts, maker.base().bits);
    if (!builder.is_standalone(op)) continue;
    if (ops_.empty()) images_ = static_cast<double>(std::max<std::int64_t>(work.batch, 1));
    const auto stage = static_cast<std::uint32_t>(ops_.size());
    ops_.push_back(op);
    const std::optional<ChoiceTable> table = maker.for_op(op, kMostEntries);
    if (!table) {
      direct_stages_.push_back(stage);
      continue;
    }
    Descriptions descriptions = descriptions_of(op, *table, digits, maker);
    auto same = std::find_if(known.begin(), known.end(), [&](const auto& other) { return other.second == descriptions; });
    if (same == known.end()) {
      same = known.insert(same, {entries, std::move(descriptions)});
      entries += table->entries;
    }
    index_.add(*table, stage, same->first);
  }
  entries_ = std::vector<std::atomic<const PreparedStage*>>(entries);
}

PipelineTables::~PipelineTables() {
  for (const std::atomic<const PreparedStage*>& entry : entries_) {
    if (entry.load() != &kNoStage) delete entry.load();
  }
}

PipelineTables::Descriptions PipelineTables::descriptions_of(int op, const ChoiceTable& table, const CandidateDigits& digits,
                                                             const ChoiceTableMaker& maker) const {
  Descriptions descriptions(table.entries);
  for_each_entry(table, digits, maker.base(), [&](std::size_t entry, const policies::WorkloadSetting& setting) {
    const policies::OpWorkload work = builder_.build_op(op, setting.kept_counts, setting.bits);
    if (!work.is_fused) descriptions[entry] = planner_.describe(work);
  });
  return descriptions;
}

std::optional<PreparedStage> PipelineTables::prepare(const policies::Candidate& candidate, int op) const {
  const policies::WorkloadSetting setting = policies::setting_of(builder_, space_, candidate);
  const policies::OpWorkload work = builder_.build_op(op, setting.kept_counts, setting.bits);
  if (work.is_fused) return std::nullopt;
  return planner_.prepare(planner_.describe(work), options_);
}

// Whoever comes second throws its own away.
const PreparedStage& PipelineTables::stage_at(const policies::Candidate& candidate, std::uint32_t stage, std::uint32_t entry) const {
  std::atomic<const PreparedStage*>& slot = entries_[entry];
  if (const PreparedStage* found = slot.load(std::memory_order_acquire)) return *found;
  std::optional<PreparedStage> prepared = prepare(candidate, ops_[stage]);
  if (!prepared) {
    slot.store(&kNoStage, std::memory_order_release);
    return kNoStage;
  }
  auto made = std::make_unique<const PreparedStage>(*std::move(prepared));
  const PreparedStage* expected = nullptr;
  if (slot.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return *made.release();
  return *expected;
}

PipelineFigures PipelineTables::plan(const policies::Candidate& candidate, const std::uint32_t* digits) const {
  Scratch& scratch = scratch_of_thread();
  scratch.stages.resize(ops_.size());
  index_.for_each(digits, [&](std::uint32_t stage, std::uint32_t entry) { scratch.stages[stage] = &stage_at(candidate, stage, entry); });
  scratch.direct.clear();
  scratch.direct.reserve(direct_stages_.size());
  for (const std::uint32_t stage : direct_stages_) {
    std::optional<PreparedStage> prepared = prepare(candidate, ops_[stage]);
    scratch.stages[stage] = prepared ? &scratch.direct.emplace_back(*std::move(prepared)) : &kNoStage;
  }
  std::erase(scratch.stages, &kNoStage);
  return planner_.plan(scratch.stages, images_, scratch.workspace);
}

}  // namespace lathe::hwmodels
