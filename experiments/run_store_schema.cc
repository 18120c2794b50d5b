#include "experiments/run_store_schema.h"

#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "models/base/error.h"

namespace lathe::experiments {
namespace {

constexpr int kBusyTimeoutMs = 10000;  // a reader or a backup may hold the file for a moment

int pragma_number(SQLite::Database& database, const std::string& name) {
  return database.execAndGet("PRAGMA " + name).getInt();
}

bool is_empty(SQLite::Database& database) {
  return pragma_number(database, "user_version") == 0 && database.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
}

// The errno behind a failed statement, 0 where it is not known. SQLite keeps it with the connection, but that of a failed commit only with
// the write-ahead log.
int system_error_of(sqlite3* connection) {
  if (const int error = sqlite3_system_errno(connection); error != 0) return error;
  sqlite3_file* log = nullptr;
  int error = 0;
  if (sqlite3_file_control(connection, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK && log != nullptr &&
      log->pMethods != nullptr)
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &error);
  return error;
}

}  // namespace

const StoreKind& run_store_kind() {
  static const StoreKind kind{
      .application_id = 0x4C617468,  // "Lath"
      .what = "a store of trials",
      .migrations = {"CREATE TABLE settings(line INTEGER PRIMARY KEY, text TEXT NOT NULL);"
                     "CREATE TABLE facts(key TEXT PRIMARY KEY, value TEXT NOT NULL);"
                     "CREATE TABLE trials(id INTEGER PRIMARY KEY, agent TEXT NOT NULL, choices TEXT NOT NULL, state TEXT NOT NULL, "
                     "error TEXT NOT NULL, metrics TEXT NOT NULL, stddev REAL NOT NULL, seconds REAL NOT NULL)",
                     // 2: who measured what, and a name for the run that its copies share.
                     "CREATE TABLE sessions(number INTEGER PRIMARY KEY, provenance TEXT NOT NULL);"
                     "ALTER TABLE trials ADD COLUMN session INTEGER NOT NULL DEFAULT 0;"
                     "INSERT INTO facts VALUES('run_id', '\"' || lower(hex(randomblob(16))) || '\"')"}};
  return kind;
}

void bring_up_to_date(SQLite::Database& database, const std::string& path, const StoreKind& kind, const std::function<void()>& fill) {
  // Immediate: two processes that open an old file at once migrate it one after the other.
  SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
  const bool is_new = is_empty(database);
  if (!is_new) check_readable(database, path, kind);
  const int version = is_new ? 0 : pragma_number(database, "user_version");
  for (int v = version; v < kind.version(); ++v) database.exec(kind.migrations[static_cast<std::size_t>(v)]);
  database.exec("PRAGMA application_id = " + std::to_string(kind.application_id));
  database.exec("PRAGMA user_version = " + std::to_string(kind.version()));
  if (is_new) fill();
  transaction.commit();
}

void check_readable(SQLite::Database& database, const std::string& path, const StoreKind& kind) {
  if (pragma_number(database, "application_id") != kind.application_id)
    throw UserError(Fault{.file = path, .expected = "is not " + kind.what});
  if (const int version = pragma_number(database, "user_version"); version < 1 || version > kind.version())
    throw UserError(Fault{.file = path,
                          .expected = "is of a newer Lathe: expected at most version " + std::to_string(kind.version()),
                          .got = std::to_string(version)});
}

std::string explain(const SQLite::Database& database, const std::string& path, const SQLite::Exception& error) {
  const int system_error = system_error_of(database.getHandle());
  std::string reason = error.what();
  switch (error.getErrorCode()) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      reason = "another process has kept it locked for " + std::to_string(kBusyTimeoutMs / 1000) + " s";
      break;
    case SQLITE_FULL:
      reason = "the disk is full";
      break;
    case SQLITE_READONLY:
      reason = "it cannot be written to";
      break;
    case SQLITE_IOERR:
      if (system_error != 0) reason = std::strerror(system_error);
      break;
    default:
      break;
  }
  return path + ": cannot be used: " + reason + "; what was stored before is safe";
}

SQLite::Database open_for_reading(const std::string& path) {
  // Reading beside a writer needs a file of shared memory next to the store. Where that cannot be made, nobody can be writing either.
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  const bool is_still = access(folder.c_str(), W_OK) != 0 && !std::filesystem::exists(path + "-wal");
  if (!is_still) return SQLite::Database(path, SQLite::OPEN_READONLY, kBusyTimeoutMs);
  return SQLite::Database("file:" + path + "?immutable=1", SQLite::OPEN_READONLY | SQLite::OPEN_URI, kBusyTimeoutMs);
}

SQLite::Database open_for_writing(const std::string& path) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, kBusyTimeoutMs);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL");
  return database;
}

}  // namespace lathe::experiments
