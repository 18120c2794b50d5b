// The tables of a store of trials, their versions, and how an older file is brought up to date. SQLite's user_version holds the version,
// application_id says whose file it is.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <functional>
#include <string>
#include <vector>

namespace lathe::experiments {

// Whose file, and of which version.
struct StoreKind {
  int application_id;
  std::string what;                     // "a store of trials", for messages
  std::vector<std::string> migrations;  // statements that lead from version i to i + 1; the first makes the tables of version 1
  int version() const { return static_cast<int>(migrations.size()); }
};

const StoreKind& run_store_kind();

// Makes an empty file's tables and lets `fill` put their first rows, or migrates older ones, in one transaction, so that a file is of one
// version and whole whatever happens. Throws UserError where it is another program's or of a newer Lathe.
void bring_up_to_date(SQLite::Database& database, const std::string& path, const StoreKind& kind, const std::function<void()>& fill);

// For a file that is only read: any known version will do.
void check_readable(SQLite::Database& database, const std::string& path, const StoreKind& kind);

// What the world did (disk full, file locked, read-only) as a message that says what to do, from the error of a statement.
std::string explain(const SQLite::Database& database, const std::string& path, const SQLite::Exception& error);

// Opens for reading, also where the folder cannot be written to.
SQLite::Database open_for_reading(const std::string& path);

// Opens for writing, makes the file where it is not there, with write-ahead logging and every commit flushed to the disk.
SQLite::Database open_for_writing(const std::string& path);

}  // namespace lathe::experiments
