// The store of trials: what is recorded is there after kill -9, and resuming refuses what does not fit.
#include "experiments/run_store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "experiments/problem_record.h"
#include "models/base/error.h"
#include "models/base/rng.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RunStoreTest : public testing::Test {
 protected:
  RunStoreTest() : folder_(fs::temp_directory_path() / ("lathe_store_" + std::to_string(getpid()))) { fs::create_directories(folder_); }
  ~RunStoreTest() override { fs::remove_all(folder_); }
  std::string path() const { return folder_ / "run.db"; }

  fs::path folder_;
};

search::Trial make_trial(std::int64_t id) {
  Rng rng(1, "trial", static_cast<std::uint64_t>(id));
  search::Trial trial{.id = id, .agent = id % 2 ? "bayes" : "ddpg"};
  for (int d = 0; d < 5; ++d) trial.candidate.choices.push_back(static_cast<int>(rng.below(7)));
  // 1/3-like values show whether every bit survives the text form.
  trial.metrics = {rng.uniform(), 1.0 / 3, 1e-17 * rng.uniform(), 1e300, std::numeric_limits<double>::infinity()};
  trial.stddev = rng.uniform();
  trial.seconds = rng.uniform();
  return trial;
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

// Measured feedback calibrates the device while trials come in: whoever compares runs reads them all by the last calibration.
TEST_F(RunStoreTest, RunsAreReadByTheirLastCalibration) {
  search::Problem problem, calibrated;
  problem.metrics = {{.name = "accuracy"}, {.name = "latency_ms"}};
  problem.fronts = {{"device", {0, 1}, {0.5, 10}}};
  calibrated = problem;
  calibrated.fronts[0].reference_point[1] = 20;
  std::vector<search::Trial> trials{make_trial(0), make_trial(1)};
  const std::vector<search::Trial> measured = trials;
  RunStore store(path(), RunStore::Mode::kCreate, {"seed: 0"});
  recalibrate(store, problem, trials);
  EXPECT_EQ(trials, measured) << "a run without feedback stays as it is";
  for (search::Trial& trial : trials) trial.metrics[1] = 7;
  record_recalibrated(store, calibrated, {trials[1]});
  trials = measured;
  recalibrate(store, problem, trials);
  EXPECT_EQ(problem.fronts[0].reference_point[1], 20);
  EXPECT_EQ(trials[0], measured[0]);
  EXPECT_EQ(trials[1].metrics[1], 7);
  EXPECT_EQ(trials[1].metrics[4], measured[1].metrics[4]) << "what is not finite stays";
}

TEST_F(RunStoreTest, ReadsBackWhatWasRecorded) {
  {
    RunStore store(path(), RunStore::Mode::kCreate, {"seed: 0"});
    for (int id : {2, 0, 1}) store.record(make_trial(id));
  }
  const RunStore store(path(), RunStore::Mode::kResume, {"seed: 0"});
  EXPECT_EQ(store.trials(), (std::vector{make_trial(0), make_trial(1), make_trial(2)}));
  EXPECT_EQ(store.recall(1, make_trial(1).candidate), make_trial(1));
  EXPECT_EQ(store.recall(3, make_trial(3).candidate), std::nullopt);
}

TEST_F(RunStoreTest, KeepsFailedTrials) {
  RunStore store(path(), RunStore::Mode::kCreate);
  search::Trial failed = make_trial(0);
  failed.state = search::TrialState::kFailed;
  failed.error = "logits are not finite";
  failed.metrics[0] = std::numeric_limits<double>::quiet_NaN();
  store.record(failed);
  const search::Trial read = store.trials().at(0);
  EXPECT_EQ(read.state, search::TrialState::kFailed);
  EXPECT_EQ(read.error, failed.error);
  EXPECT_TRUE(std::isnan(read.metrics[0]));
}

TEST_F(RunStoreTest, KillNineLosesNothingThatWasAcknowledged) {
  int acknowledged[2];
  ASSERT_EQ(pipe(acknowledged), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    RunStore store(path(), RunStore::Mode::kCreate, {"seed: 0"});
    for (int id = 0;; ++id) {
      store.record(make_trial(id));
      if (write(acknowledged[1], &id, sizeof id) != static_cast<ssize_t>(sizeof id)) _exit(1);
    }
  }
  close(acknowledged[1]);
  constexpr int kEnough = 40;  // then the next record is under way when the signal comes
  int last = -1;
  while (last < kEnough) ASSERT_EQ(read(acknowledged[0], &last, sizeof last), static_cast<ssize_t>(sizeof last));
  kill(child, SIGKILL);
  while (read(acknowledged[0], &last, sizeof last) == static_cast<ssize_t>(sizeof last)) {
  }
  close(acknowledged[0]);
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));

  RunStore store(path(), RunStore::Mode::kResume, {"seed: 0"});
  const std::vector<search::Trial> trials = store.trials();
  ASSERT_GE(trials.size(), static_cast<std::size_t>(last) + 1);
  for (std::size_t id = 0; id < trials.size(); ++id) EXPECT_EQ(trials[id], make_trial(static_cast<std::int64_t>(id)));
  store.record(make_trial(static_cast<std::int64_t>(trials.size())));  // and it goes on
}

TEST_F(RunStoreTest, SecondWriterIsRefusedAndReaderIsNot) {
  RunStore store(path(), RunStore::Mode::kCreate);
  store.record(make_trial(0));
  EXPECT_THAT(message_of([&] { RunStore second(path(), RunStore::Mode::kResume); }), HasSubstr("another process is working on this run"));
  const RunStore reader(path(), RunStore::Mode::kRead);
  EXPECT_EQ(reader.trials().size(), 1u);
}

TEST_F(RunStoreTest, ExistingRunNeedsResume) {
  { RunStore store(path(), RunStore::Mode::kCreate); }
  EXPECT_THAT(message_of([&] { RunStore again(path(), RunStore::Mode::kCreate); }), HasSubstr("use --resume"));
}

TEST_F(RunStoreTest, OtherSettingsAreNamed) {
  { RunStore store(path(), RunStore::Mode::kCreate, {"seed: 0", "search.trials: 40", "model: a"}); }
  EXPECT_THAT(message_of([&] {
                RunStore other(path(), RunStore::Mode::kResume, {"seed: 0", "search.trials: 60", "model: a"});
              }),
              HasSubstr("the run was started with another config (search.trials: 40 then, 60 now)"));
}

TEST_F(RunStoreTest, OtherCandidateOfAStoredTrialIsAnError) {
  RunStore store(path(), RunStore::Mode::kCreate);
  store.record(make_trial(0));
  EXPECT_THAT(message_of([&] { (void)store.recall(0, make_trial(1).candidate); }),
              HasSubstr("trial 0 is another policy than the stored one"));
}

TEST_F(RunStoreTest, FilesOfOtherKindsAreRefused) {
  std::ofstream(path())
      << "this is no database, but it is long enough to be looked at closely by SQLite, which reads a header of a hundred bytes";
  EXPECT_THAT(message_of([&] { RunStore store(path(), RunStore::Mode::kResume); }), HasSubstr("cannot be used as the store of trials"));
}

// A store as version 1 made it.
void make_version_one(const std::string& path) {
  SQLite::Database database(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec(
      "CREATE TABLE settings(line INTEGER PRIMARY KEY, text TEXT NOT NULL);"
      "CREATE TABLE facts(key TEXT PRIMARY KEY, value TEXT NOT NULL);"
      "CREATE TABLE trials(id INTEGER PRIMARY KEY, agent TEXT NOT NULL, choices TEXT NOT NULL, state TEXT NOT NULL, error TEXT NOT NULL, "
      "metrics TEXT NOT NULL, stddev REAL NOT NULL, seconds REAL NOT NULL);"
      "INSERT INTO settings VALUES(0, 'seed: 0');"
      "INSERT INTO trials VALUES(0, 'bayes', '[1,2]', 'complete', '', '[0.5]', 0.25, 1.5);"
      "PRAGMA application_id = 1281455208; PRAGMA user_version = 1");
}

TEST_F(RunStoreTest, FirstVersionIsReadAndBroughtUpToDateByWriting) {
  make_version_one(path());
  {
    const RunStore store(path(), RunStore::Mode::kRead);
    EXPECT_EQ(store.count(), 1);
    EXPECT_EQ(store.known_fact("run_id"), std::nullopt);
    EXPECT_TRUE(store.sessions().empty());
  }
  std::string run_id;
  {
    RunStore store(path(), RunStore::Mode::kResume, {"seed: 0"});
    store.begin_session({{"host", "a"}});
    store.record(make_trial(1));
    run_id = store.known_fact("run_id")->get<std::string>();
    EXPECT_EQ(run_id.size(), 32u);
  }
  const RunStore store(path(), RunStore::Mode::kRead);
  EXPECT_EQ(store.trials().size(), 2u);
  EXPECT_EQ(store.trials()[0].candidate.choices, (std::vector{1, 2}));
  EXPECT_EQ(store.trials()[0].seconds, 1.5);
  EXPECT_EQ(store.known_fact("run_id")->get<std::string>(), run_id);
  EXPECT_EQ(store.sessions()[0]["host"], "a");
  EXPECT_EQ(SQLite::Database(path()).execAndGet("PRAGMA user_version").getInt(), 2);
}

TEST_F(RunStoreTest, StoreOfANewerLatheIsRefused) {
  make_version_one(path());
  SQLite::Database(path(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 99");
  for (const RunStore::Mode mode : {RunStore::Mode::kRead, RunStore::Mode::kResume})
    EXPECT_THAT(message_of([&] { RunStore store(path(), mode, {"seed: 0"}); }),
                HasSubstr("is of a newer Lathe: expected at most version 2, got '99'"));
}

TEST_F(RunStoreTest, RunsHaveDifferentIdsAndCopiesTheSame) {
  { RunStore store(path(), RunStore::Mode::kCreate); }
  { RunStore store(folder_ / "other.db", RunStore::Mode::kCreate); }
  fs::copy(path(), folder_ / "copy.db");
  const auto id = [&](const char* name) { return RunStore(folder_ / name, RunStore::Mode::kRead).known_fact("run_id"); };
  EXPECT_EQ(id("run.db"), id("copy.db"));
  EXPECT_NE(id("run.db"), id("other.db"));
}

TEST_F(RunStoreTest, FactsAreMeasuredOnce) {
  int measured = 0;
  const auto measure = [&] {
    ++measured;
    return nlohmann::json{{"accuracy", 1.0 / 3}};
  };
  {
    RunStore store(path(), RunStore::Mode::kCreate);
    EXPECT_EQ(store.fact("float", measure)["accuracy"], 1.0 / 3);
  }
  RunStore store(path(), RunStore::Mode::kResume);
  EXPECT_EQ(store.fact("float", measure)["accuracy"], 1.0 / 3);
  EXPECT_EQ(measured, 1);
}

}  // namespace
}  // namespace lathe::experiments
