#include "experiments/sweep/merged_store.h"

#include <SQLiteCpp/SQLiteCpp.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "experiments/problem_record.h"
#include "experiments/run_directory.h"
#include "experiments/run_store_schema.h"
#include "experiments/trial_rows.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

const StoreKind& merged_store_kind() {
  static const StoreKind kind{
      .application_id = 0x4C61744D,  // "LatM"
      .what = "a store of merged runs",
      .migrations = {"CREATE TABLE runs(run_id TEXT PRIMARY KEY, label TEXT NOT NULL, path TEXT NOT NULL, settings TEXT NOT "
                     "NULL, problem TEXT NOT NULL, sessions TEXT NOT NULL, is_complete INTEGER NOT NULL);"
                     "CREATE TABLE trials(run_id TEXT NOT NULL, id INTEGER NOT NULL, " +
                     std::string(kTrialColumnTypes) + ", PRIMARY KEY(run_id, id)) WITHOUT ROWID"}};
  return kind;
}

std::string file_of(const std::string& directory) {
  return directory + "/merged.db";
}

std::vector<search::Trial> read_trials(SQLite::Database& database, const std::string& run_id) {
  std::vector<search::Trial> trials;
  SQLite::Statement rows(database, "SELECT " + std::string(kTrialColumns) + " FROM trials WHERE run_id = ? ORDER BY id");
  rows.bind(1, run_id);
  while (rows.executeStep()) trials.push_back(trial_of(rows));
  return trials;
}

void write_run(SQLite::Database& database, const RunRecord& run) {
  // What is known of a run grows with its later states: the one that has come to its end stays.
  SQLite::Statement insert(database,
                           "INSERT INTO runs VALUES(?, ?, ?, ?, ?, ?, ?) ON CONFLICT(run_id) DO UPDATE SET sessions = excluded.sessions, "
                           "is_complete = max(is_complete, excluded.is_complete)");
  insert.bind(1, run.id);
  insert.bind(2, run.label);
  insert.bind(3, run.path);
  insert.bind(4, json(run.settings).dump());
  insert.bind(5, problem_json(run.problem).dump());
  insert.bind(6, run.sessions.dump());
  insert.bind(7, run.is_complete ? 1 : 0);
  insert.exec();
}

}  // namespace

struct MergedStore::State {
  State(std::string file, SQLite::Database opened) : path(std::move(file)), database(std::move(opened)) {}
  std::string path;
  SQLite::Database database;
};

MergedStore::MergedStore(const std::string& directory, Mode mode) {
  const std::string path = file_of(directory);
  try {
    if (mode == Mode::kRead) {
      state_ = std::make_unique<State>(path, open_for_reading(path));
      check_readable(state_->database, path, merged_store_kind());
      return;
    }
    make_writable_folder(directory);
    state_ = std::make_unique<State>(path, open_for_writing(path));
    // Not flushed at every run: what a power cut takes is merged again from where it came from.
    state_->database.exec("PRAGMA synchronous = NORMAL");
    bring_up_to_date(state_->database, path, merged_store_kind(), [] {});
  } catch (const SQLite::Exception& error) {
    if (state_) throw std::runtime_error(explain(state_->database, path, error));
    throw UserError(Fault{.file = path, .expected = std::string("cannot be used as a store of merged runs: ") + error.what()});
  }
}

MergedStore::~MergedStore() = default;

bool MergedStore::is_one(const std::string& directory) {
  return std::filesystem::exists(file_of(directory));
}

std::int64_t MergedStore::add(const RunRecord& run) {
  SQLite::Database& database = state_->database;
  try {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    const std::vector<search::Trial> known = read_trials(database, run.id);
    std::int64_t added = 0;
    SQLite::Statement insert(database, "INSERT INTO trials(" + std::string(kTrialColumns) + ", run_id) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (const search::Trial& trial : run.trials) {
      const auto found =
          std::lower_bound(known.begin(), known.end(), trial.id, [](const search::Trial& a, std::int64_t id) { return a.id < id; });
      if (found != known.end() && found->id == trial.id) {
        if (!is_same_trial(*found, trial))
          throw UserError(
              Fault{.file = run.path,
                    .expected = "trial " + std::to_string(trial.id) + " differs from that of the same run which is merged already"});
        continue;
      }
      bind_trial(insert, 1, trial);
      insert.bind(1 + kTrialColumnCount, run.id);
      insert.exec();
      insert.reset();
      ++added;
    }
    write_run(database, run);
    transaction.commit();
    return added;
  } catch (const SQLite::Exception& error) {
    throw std::runtime_error(explain(database, state_->path, error));
  }
}

void MergedStore::for_each(const std::function<void(RunRecord)>& take) const {
  SQLite::Database& database = state_->database;
  SQLite::Statement rows(database, "SELECT run_id, label, path, settings, problem, sessions, is_complete FROM runs ORDER BY label, run_id");
  while (rows.executeStep()) {
    RunRecord run{.id = rows.getColumn(0).getString(),
                  .label = rows.getColumn(1).getString(),
                  .path = rows.getColumn(2).getString(),
                  .settings = json::parse(rows.getColumn(3).getString()).get<std::map<std::string, std::string>>(),
                  .problem = problem_of(json::parse(rows.getColumn(4).getString())),
                  .sessions = json::parse(rows.getColumn(5).getString()),
                  .is_complete = rows.getColumn(6).getInt() != 0};
    run.trials = read_trials(database, run.id);
    take(std::move(run));
  }
}

}  // namespace lathe::experiments
