#include "experiments/study/study_schema.h"

#include "models/base/error.h"

namespace lathe::experiments {
namespace {

// Held by whoever changes tables: "lathe" in ASCII. Any number that no other program takes for itself.
constexpr const char* kMigrationLock = "465558366309";

int version_of(PostgresConnection& database) {
  const PostgresRows known = database.execute("SELECT to_regclass('lathe_version') IS NOT NULL");
  if (known.text(0, 0) != "t") return 0;
  return static_cast<int>(database.execute("SELECT coalesce(max(version), 0) FROM lathe_version").integer(0, 0));
}

// One step of the migration, which does nothing where another search has made it meanwhile.
std::string step(int version, const std::string& statements) {
  return "DO $step$ BEGIN IF (SELECT coalesce(max(version), 0) FROM lathe_version) = " + std::to_string(version) + " THEN " + statements +
         "; INSERT INTO lathe_version VALUES(" + std::to_string(version + 1) + "); END IF; END $step$";
}

}  // namespace

const std::vector<std::string>& study_migrations() {
  static const std::vector<std::string> migrations{
      // 1. `search` is the run that claimed the trial, `holder` the process of it. `finished` counts over the database, in the order in
      // which
      // trials end, and is null before.
      "CREATE TABLE lathe_studies(study BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT NOT NULL UNIQUE, settings TEXT NOT "
      "NULL, "
      "next_trial BIGINT NOT NULL DEFAULT 0);"
      "CREATE SEQUENCE lathe_finished;"
      "CREATE TABLE lathe_trials(study BIGINT NOT NULL REFERENCES lathe_studies, id BIGINT NOT NULL, search TEXT NOT NULL, holder TEXT NOT "
      "NULL, lease_until TIMESTAMPTZ NOT NULL, agent TEXT NOT NULL, choices TEXT NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL "
      "DEFAULT "
      "'', metrics TEXT NOT NULL DEFAULT '[]', stddev DOUBLE PRECISION NOT NULL DEFAULT 0, seconds DOUBLE PRECISION NOT NULL DEFAULT 0, "
      "finished BIGINT, PRIMARY KEY(study, id), UNIQUE(study, choices))",
      // 2. What is asked at every proposal: what is new, and whose lease is over.
      "CREATE INDEX lathe_trials_finished ON lathe_trials(study, finished);"
      "CREATE INDEX lathe_trials_leased ON lathe_trials(study, lease_until) WHERE state = 'leased'"};
  return migrations;
}

void bring_study_up_to_date(PostgresConnection& database) {
  const int newest = static_cast<int>(study_migrations().size());
  const int version = version_of(database);
  if (version > newest)
    throw UserError(Fault{.key = "study.url",
                          .expected = "the database's tables are of a newer Lathe: expected at most version " + std::to_string(newest),
                          .got = std::to_string(version)});
  if (version == newest) return;
  std::vector<std::string> statements{std::string("SELECT pg_advisory_xact_lock(") + kMigrationLock + ")",
                                      "CREATE TABLE IF NOT EXISTS lathe_version(version INTEGER PRIMARY KEY)"};
  for (int v = 0; v < newest; ++v) statements.push_back(step(v, study_migrations()[static_cast<std::size_t>(v)]));
  database.execute_all(statements);
}

}  // namespace lathe::experiments
