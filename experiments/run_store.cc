#include "experiments/run_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <mutex>
#include <nlohmann/json.hpp>

#include "models/base/error.h"

namespace lathe::experiments {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;                 // of the tables, in SQLite's user_version
constexpr int kApplicationId = 0x4C617468;  // "Lath", in SQLite's application_id
constexpr int kBusyTimeoutMs = 2000;        // a reader (report) may hold the file for a moment

std::string numbers_text(const std::vector<double>& numbers) {
  json list = json::array();
  for (const double number : numbers)
    list.push_back(std::isnan(number) ? json() : std::isinf(number) ? json(number > 0 ? "inf" : "-inf") : json(number));
  return list.dump();
}

std::vector<double> numbers_of(const std::string& text) {
  std::vector<double> numbers;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const json& number : json::parse(text)) {
    if (number.is_null())
      numbers.push_back(std::numeric_limits<double>::quiet_NaN());
    else if (number.is_string())
      numbers.push_back(number == "inf" ? kInfinity : -kInfinity);
    else
      numbers.push_back(number.get<double>());
  }
  return numbers;
}

int pragma_number(SQLite::Database& database, const std::string& name) {
  return database.execAndGet("PRAGMA " + name).getInt();
}

void create_tables(SQLite::Database& database, const std::vector<std::string>& settings) {
  SQLite::Transaction transaction(database);
  database.exec("CREATE TABLE settings(line INTEGER PRIMARY KEY, text TEXT NOT NULL)");
  database.exec("CREATE TABLE facts(key TEXT PRIMARY KEY, value TEXT NOT NULL)");
  database.exec(
      "CREATE TABLE trials(id INTEGER PRIMARY KEY, agent TEXT NOT NULL, choices TEXT NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL, "
      "metrics TEXT NOT NULL, stddev REAL NOT NULL, seconds REAL NOT NULL)");
  for (std::size_t i = 0; i < settings.size(); ++i) {
    SQLite::Statement insert(database, "INSERT INTO settings VALUES(?, ?)");
    insert.bind(1, static_cast<std::int64_t>(i));
    insert.bind(2, settings[i]);
    insert.exec();
  }
  // Last, in the same transaction: a file with the version is whole.
  database.exec("PRAGMA application_id = " + std::to_string(kApplicationId));
  database.exec("PRAGMA user_version = " + std::to_string(kVersion));
  transaction.commit();
}

// Lines that only one side has, as "search.trials: 40 then, 60 now".
std::string differences(const std::vector<std::string>& stored, const std::vector<std::string>& wanted) {
  const auto split = [](const std::string& line) {
    return std::pair{line.substr(0, line.find(": ")), line.substr(std::min(line.size(), line.find(": ") + 2))};
  };
  std::string text;
  const auto add = [&](const std::string& key, const std::string& then, const std::string& now) {
    text += (text.empty() ? "" : "; ") + key + ": " + then + " then, " + now + " now";
  };
  for (const std::string& line : stored) {
    const auto [key, value] = split(line);
    const auto found = std::find_if(wanted.begin(), wanted.end(), [&](const std::string& other) { return split(other).first == key; });
    if (found == wanted.end())
      add(key, value, "not there");
    else if (*found != line)
      add(key, value, split(*found).second);
  }
  for (const std::string& line : wanted) {
    const std::string key = split(line).first;
    if (std::none_of(stored.begin(), stored.end(), [&](const std::string& other) { return split(other).first == key; }))
      add(key, "not there", split(line).second);
  }
  return text;
}

search::Trial trial_of(SQLite::Statement& row) {
  search::Trial trial;
  trial.id = row.getColumn(0).getInt64();
  trial.agent = row.getColumn(1).getString();
  trial.candidate.choices = json::parse(row.getColumn(2).getString()).get<std::vector<int>>();
  trial.state = row.getColumn(3).getString() == "complete" ? search::TrialState::kComplete : search::TrialState::kFailed;
  trial.error = row.getColumn(4).getString();
  trial.metrics = numbers_of(row.getColumn(5).getString());
  trial.stddev = row.getColumn(6).getDouble();
  trial.seconds = row.getColumn(7).getDouble();
  return trial;
}

constexpr const char* kColumns = "SELECT id, agent, choices, state, error, metrics, stddev, seconds FROM trials ";

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
  State(const std::string& path, int flags) : database(path, flags, kBusyTimeoutMs) {}
  std::unique_ptr<WriterLock> lock;
  mutable std::mutex mutex;
  SQLite::Database database;
};

RunStore::RunStore(const std::string& path, Mode mode, const std::vector<std::string>& settings) {
  const bool exists = std::filesystem::exists(path);
  if (mode == Mode::kCreate && exists)
    throw UserError(
        Fault{.file = path, .expected = "holds the trials of an earlier run; use --resume to go on with it, or --out for another place"});
  if (mode == Mode::kRead && !exists) throw UserError(Fault{.file = path, .expected = "expected a run's store of trials"});
  try {
    std::unique_ptr<WriterLock> lock;
    if (mode != Mode::kRead) lock = std::make_unique<WriterLock>(path + ".lock");
    state_ = std::make_unique<State>(path, mode == Mode::kRead ? SQLite::OPEN_READONLY : SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    state_->lock = std::move(lock);
    SQLite::Database& database = state_->database;
    if (mode != Mode::kRead) {
      database.exec("PRAGMA journal_mode = WAL");
      database.exec("PRAGMA synchronous = FULL");
    }
    const bool is_empty =
        pragma_number(database, "user_version") == 0 && database.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
    if (is_empty && mode != Mode::kRead) create_tables(database, settings);
  } catch (const SQLite::Exception& error) {
    throw UserError(Fault{.file = path, .expected = std::string("cannot be used as the store of trials: ") + error.what()});
  }
  SQLite::Database& database = state_->database;
  if (pragma_number(database, "application_id") != kApplicationId)
    throw UserError(Fault{.file = path, .expected = "is not a store of trials"});
  if (const int version = pragma_number(database, "user_version"); version != kVersion)
    throw UserError(Fault{.file = path, .expected = "expected version " + std::to_string(kVersion), .got = std::to_string(version)});
  if (mode != Mode::kResume) return;
  std::vector<std::string> stored;
  for (SQLite::Statement rows(database, "SELECT text FROM settings ORDER BY line"); rows.executeStep();)
    stored.push_back(rows.getColumn(0).getString());
  if (const std::string changed = differences(stored, settings); !changed.empty())
    throw UserError(Fault{.file = path,
                          .expected = "cannot resume, the run was started with another config (" + changed + "); use --out for a new run"});
}

RunStore::~RunStore() = default;

void RunStore::record(const search::Trial& trial) {
  const std::lock_guard lock(state_->mutex);
  SQLite::Statement insert(state_->database, "INSERT INTO trials VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(1, trial.id);
  insert.bind(2, trial.agent);
  insert.bind(3, json(trial.candidate.choices).dump());
  insert.bind(4, trial.state == search::TrialState::kComplete ? "complete" : "failed");
  insert.bind(5, trial.error);
  insert.bind(6, numbers_text(trial.metrics));
  insert.bind(7, trial.stddev);
  insert.bind(8, trial.seconds);
  insert.exec();
}

std::optional<search::Trial> RunStore::recall(std::int64_t id, const policies::Candidate& candidate) const {
  const std::lock_guard lock(state_->mutex);
  SQLite::Statement query(state_->database, std::string(kColumns) + "WHERE id = ?");
  query.bind(1, id);
  if (!query.executeStep()) return std::nullopt;
  search::Trial trial = trial_of(query);
  if (trial.candidate != candidate)
    throw UserError("cannot resume: trial " + std::to_string(id) +
                    " is another policy than the stored one; the program or the devices' files have changed since the run began");
  return trial;
}

std::vector<search::Trial> RunStore::trials() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<search::Trial> trials;
  for (SQLite::Statement rows(state_->database, std::string(kColumns) + "ORDER BY id"); rows.executeStep();)
    trials.push_back(trial_of(rows));
  return trials;
}

json RunStore::fact(const std::string& key, const std::function<json()>& measure) {
  {
    const std::lock_guard lock(state_->mutex);
    SQLite::Statement query(state_->database, "SELECT value FROM facts WHERE key = ?");
    query.bind(1, key);
    if (query.executeStep()) return json::parse(query.getColumn(0).getString());
  }
  const json value = measure();
  const std::lock_guard lock(state_->mutex);
  SQLite::Statement insert(state_->database, "INSERT INTO facts VALUES(?, ?)");
  insert.bind(1, key);
  insert.bind(2, value.dump());
  insert.exec();
  return value;
}

}  // namespace lathe::experiments
