#include "experiments/sweep/run_record.h"

#include <filesystem>

#include "experiments/problem_record.h"
#include "experiments/run_store.h"
#include "experiments/sweep/merged_store.h"
#include "experiments/sweep/sweep_directory.h"
#include "models/base/error.h"
#include "models/base/sha256.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

// None where the run has not yet stored what it searches, or was made by the first version, which did not.
std::optional<RunRecord> read_run(const std::string& directory) {
  const RunStore store(directory + "/run.db", RunStore::Mode::kRead);
  const auto problem = store.known_fact("problem");
  if (!problem) return std::nullopt;
  RunRecord record{.label = fs::path(directory).lexically_normal().filename().string(), .path = directory};
  std::string all;
  for (const std::string& line : store.settings()) {
    all += line + "\n";
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) record.settings[line.substr(0, colon)] = line.substr(colon + 2);
  }
  // Runs of the first version have no name of their own; equal settings mean equal trials.
  const auto id = store.known_fact("run_id");
  record.id = id ? id->get<std::string>() : sha256(all);
  record.problem = problem_of(*problem);
  record.sessions = store.sessions();
  record.is_complete = fs::exists(directory + "/pareto.json");
  record.trials = store.trials();
  recalibrate(store, record.problem, record.trials);
  return record;
}

void read_sweep(const std::string& directory, const std::function<void(RunRecord)>& take) {
  const SweepDirectory sweep(directory);
  for (const SweepTask& task : sweep.plan().tasks) {
    if (!fs::exists(sweep.store(task.number))) continue;
    std::optional<RunRecord> record = read_run(sweep.run(task.number));
    if (!record) continue;
    record->label = describe(sweep.plan(), task);
    for (std::size_t k = 0; k < sweep.plan().keys.size(); ++k) record->settings[sweep.plan().keys[k]] = task.values[k];
    take(std::move(*record));
  }
}

}  // namespace

void for_each_run(const std::vector<std::string>& directories, const std::function<void(RunRecord)>& take) {
  for (const std::string& directory : directories) {
    if (SweepDirectory::is_one(directory)) {
      read_sweep(directory, take);
    } else if (MergedStore::is_one(directory)) {
      MergedStore(directory, MergedStore::Mode::kRead).for_each(take);
    } else if (fs::exists(directory + "/run.db")) {
      std::optional<RunRecord> record = read_run(directory);
      if (!record)
        throw UserError(Fault{.file = directory,
                              .expected = "this run was made by an older Lathe, which did not store what was searched; go on with it "
                                          "once (lathe search ... --resume)"});
      take(std::move(*record));
    } else {
      throw UserError(
          Fault{.file = directory, .expected = "expected the folder of a run (run.db), of a sweep (sweep.json) or of a merge (merged.db)"});
    }
  }
}

}  // namespace lathe::experiments
