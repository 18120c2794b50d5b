#include "experiments/run_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "experiments/run_store_schema.h"
#include "experiments/setting_differences.h"
#include "experiments/trial_rows.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

void insert_settings(SQLite::Database& database, const std::vector<std::string>& settings) {
  for (std::size_t i = 0; i < settings.size(); ++i) {
    SQLite::Statement insert(database, "INSERT INTO settings VALUES(?, ?)");
    insert.bind(1, static_cast<std::int64_t>(i));
    insert.bind(2, settings[i]);
    insert.exec();
  }
}

std::vector<std::string> stored_settings(SQLite::Database& database) {
  std::vector<std::string> lines;
  for (SQLite::Statement rows(database, "SELECT text FROM settings ORDER BY line"); rows.executeStep();)
    lines.push_back(rows.getColumn(0).getString());
  return lines;
}

// Held while the run is written to. The kernel drops it with the process, however that ends.
class WriterLock {
 public:
  explicit WriterLock(const std::string& path) : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)) {
    if (file_ < 0) throw UserError(Fault{.file = path, .expected = std::string("cannot be written: ") + std::strerror(errno)});
    if (flock(file_, LOCK_EX | LOCK_NB) == 0) return;
    close(file_);
    throw UserError(Fault{.file = path, .expected = "another process is working on this run"});
  }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;
  ~WriterLock() { close(file_); }

 private:
  int file_;
};

}  // namespace

struct RunStore::State {
  State(std::string file, SQLite::Database opened) : path(std::move(file)), database(std::move(opened)) {}

  // Runs `action` alone; what the world does to it (disk full, file locked) is thrown with the file's name and what to do.
  template <typename Action>
  auto alone(Action&& action) {
    const std::lock_guard lock(mutex);
    try {
      return action();
    } catch (const SQLite::Exception& error) {
      throw std::runtime_error(explain(database, path, error));
    }
  }

  std::string path;
  std::unique_ptr<WriterLock> lock;
  std::mutex mutex;
  SQLite::Database database;
  std::int64_t session = 0;
};

RunStore::RunStore(const std::string& path, Mode mode, const std::vector<std::string>& settings) {
  const bool exists = std::filesystem::exists(path);
  if (mode == Mode::kCreate && exists)
    throw UserError(
        Fault{.file = path, .expected = "holds the trials of an earlier run; use --resume to go on with it, or --out for another place"});
  if (mode == Mode::kRead && !exists) throw UserError(Fault{.file = path, .expected = "expected a run's store of trials"});
  try {
    if (mode == Mode::kRead) {
      state_ = std::make_unique<State>(path, open_for_reading(path));
      check_readable(state_->database, path, run_store_kind());
      return;
    }
    auto lock = std::make_unique<WriterLock>(path + ".lock");
    state_ = std::make_unique<State>(path, open_for_writing(path));
    state_->lock = std::move(lock);
    bring_up_to_date(state_->database, path, run_store_kind(), [&] { insert_settings(state_->database, settings); });
  } catch (const SQLite::Exception& error) {
    if (state_ && error.getErrorCode() != SQLITE_NOTADB) throw std::runtime_error(explain(state_->database, path, error));
    throw UserError(Fault{.file = path, .expected = std::string("cannot be used as the store of trials: ") + error.what()});
  }
  if (const std::string changed = setting_differences(stored_settings(state_->database), settings); !changed.empty())
    throw UserError(Fault{.file = path,
                          .expected = "cannot resume, the run was started with another config (" + changed + "); use --out for a new run"});
}

RunStore::~RunStore() = default;

void RunStore::begin_session(const json& provenance) {
  state_->alone([&] {
    SQLite::Statement insert(state_->database, "INSERT INTO sessions(provenance) VALUES(?)");
    insert.bind(1, provenance.dump());
    insert.exec();
    state_->session = state_->database.getLastInsertRowid();
  });
}

void RunStore::record(std::span<const search::Trial> trials) {
  state_->alone([&] {
    SQLite::Transaction transaction(state_->database, SQLite::TransactionBehavior::IMMEDIATE);
    SQLite::Statement insert(state_->database,
                             "INSERT INTO trials(" + std::string(kTrialColumns) + ", session) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (const search::Trial& trial : trials) {
      bind_trial(insert, 1, trial);
      insert.bind(1 + kTrialColumnCount, state_->session);
      insert.exec();
      insert.reset();
    }
    transaction.commit();
  });
}

std::optional<search::Trial> RunStore::recall(std::int64_t id, const policies::Candidate& candidate) const {
  return state_->alone([&]() -> std::optional<search::Trial> {
    SQLite::Statement query(state_->database, "SELECT " + std::string(kTrialColumns) + " FROM trials WHERE id = ?");
    query.bind(1, id);
    if (!query.executeStep()) return std::nullopt;
    search::Trial trial = trial_of(query);
    if (trial.candidate != candidate)
      throw UserError("cannot resume: trial " + std::to_string(id) +
                      " is another policy than the stored one; the program or the devices' files have changed since the run began");
    return trial;
  });
}

std::vector<search::Trial> RunStore::trials() const {
  return state_->alone([&] {
    std::vector<search::Trial> trials;
    for (SQLite::Statement rows(state_->database, "SELECT " + std::string(kTrialColumns) + " FROM trials ORDER BY id"); rows.executeStep();)
      trials.push_back(trial_of(rows));
    return trials;
  });
}

std::int64_t RunStore::count() const {
  return state_->alone([&] { return state_->database.execAndGet("SELECT count(*) FROM trials").getInt64(); });
}

std::vector<std::string> RunStore::settings() const {
  return state_->alone([&] { return stored_settings(state_->database); });
}

json RunStore::sessions() const {
  return state_->alone([&] {
    json list = json::array();
    if (!state_->database.tableExists("sessions")) return list;
    for (SQLite::Statement rows(state_->database, "SELECT provenance FROM sessions ORDER BY number"); rows.executeStep();)
      list.push_back(json::parse(rows.getColumn(0).getString()));
    return list;
  });
}

std::optional<json> RunStore::known_fact(const std::string& key) const {
  return state_->alone([&]() -> std::optional<json> {
    SQLite::Statement query(state_->database, "SELECT value FROM facts WHERE key = ?");
    query.bind(1, key);
    if (!query.executeStep()) return std::nullopt;
    return json::parse(query.getColumn(0).getString());
  });
}

json RunStore::fact(const std::string& key, const std::function<json()>& measure) {
  if (std::optional<json> known = known_fact(key)) return std::move(*known);
  const json value = measure();
  state_->alone([&] {
    SQLite::Statement insert(state_->database, "INSERT INTO facts VALUES(?, ?)");
    insert.bind(1, key);
    insert.bind(2, value.dump());
    insert.exec();
  });
  return value;
}

}  // namespace lathe::experiments
