// Merging: every trial once, whatever is merged again, and conflicts are found.
#include "experiments/sweep/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "experiments/problem_record.h"
#include "experiments/run_store.h"
#include "experiments/sweep/comparison.h"
#include "experiments/sweep/merged_store.h"
#include "experiments/sweep/run_record.h"
#include "experiments/sweep/sweep_report.h"
#include "models/base/error.h"
#include "models/base/rng.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

search::Problem two_metrics() {
  return {.metrics = {{"accuracy", search::Direction::kMaximize, true}, {"latency_ms@pi", search::Direction::kMinimize}},
          .fronts = {{"pi", {0, 1}, {0.5, 10.0}, {}}}};
}

class MergeTest : public testing::Test {
 protected:
  MergeTest() : folder_(fs::temp_directory_path() / ("lathe_merge_" + std::to_string(getpid()))) { fs::create_directories(folder_); }
  ~MergeTest() override { fs::remove_all(folder_); }

  // A finished run whose trials follow from its seed, and are the better the larger `skill`.
  std::string make_run(const std::string& name, int seed, int trials, const std::string& agents = "[nsga2]", double skill = 0) {
    const fs::path run = folder_ / name;
    fs::create_directories(run);
    RunStore store(
        run / "run.db", RunStore::Mode::kCreate,
        {"model: sha256 abc", "search.agents: " + agents, "search.trials: " + std::to_string(trials), "seed: " + std::to_string(seed)});
    store.fact("problem", [] { return problem_json(two_metrics()); });
    for (int id = 0; id < trials; ++id) store.record(make_trial(seed, id, skill));
    std::ofstream(run / "pareto.json") << "{}";
    return run;
  }

  static search::Trial make_trial(int seed, int id, double skill) {
    Rng rng(static_cast<std::uint64_t>(seed), "merge", static_cast<std::uint64_t>(id));
    search::Trial trial{.id = id, .agent = "nsga2"};
    trial.candidate.choices = {static_cast<int>(rng.below(100)), id};
    trial.metrics = {std::min(1.0, 0.5 + 0.4 * rng.uniform() + skill), 1 + 9 * rng.uniform()};
    trial.seconds = 1;
    return trial;
  }

  static std::string text_of(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string at(const std::string& name) const { return folder_ / name; }
  fs::path folder_;
};

TEST_F(MergeTest, CountsEveryTrialOnce) {
  const std::string a = make_run("a", 1, 20), b = make_run("b", 2, 10);
  MergeSummary summary = merge_runs({a, b}, at("all"));
  EXPECT_EQ(summary.runs, 2);
  EXPECT_EQ(summary.trials, 30);
  EXPECT_EQ(summary.added, 30);
  summary = merge_runs({b, a, at("all")}, at("all"));  // again, and itself
  EXPECT_EQ(summary.added, 0);
  fs::copy(a, at("copy of a"), fs::copy_options::recursive);
  EXPECT_EQ(merge_runs({at("copy of a")}, at("all")).added, 0);
}

TEST_F(MergeTest, LaterStateOfARunAddsWhatIsNew) {
  const std::string a = make_run("a", 1, 5);
  merge_runs({a}, at("all"));
  RunStore(a + "/run.db", RunStore::Mode::kResume, {"model: sha256 abc", "search.agents: [nsga2]", "search.trials: 5", "seed: 1"})
      .record(make_trial(1, 5, 0));
  EXPECT_EQ(merge_runs({a}, at("all")).added, 1);
}

TEST_F(MergeTest, MergeOfMergesEqualsOneMerge) {
  const std::string a = make_run("a", 1, 20), b = make_run("b", 2, 10), c = make_run("c", 3, 15);
  merge_runs({a, b, c}, at("all"));
  merge_runs({a, b}, at("first"));
  merge_runs({at("first"), c}, at("second"));
  EXPECT_EQ(text_of(at("all/fronts.json")), text_of(at("second/fronts.json")));
  EXPECT_EQ(text_of(at("all/trials.csv")), text_of(at("second/trials.csv")));
}

TEST_F(MergeTest, FrontIsThatOfAllTrials) {
  const std::string a = make_run("a", 1, 20), b = make_run("b", 2, 20);
  merge_runs({a, b}, at("all"));
  std::vector<std::pair<double, double>> expected, found;
  std::vector<search::Trial> all;
  for (const int seed : {1, 2})
    for (int id = 0; id < 20; ++id) all.push_back(make_trial(seed, id, 0));
  for (const search::Trial& t : all) {
    const bool is_beaten = std::any_of(all.begin(), all.end(), [&](const search::Trial& o) {
      return o.metrics != t.metrics && o.metrics[0] >= t.metrics[0] && o.metrics[1] <= t.metrics[1];
    });
    if (!is_beaten) expected.emplace_back(t.metrics[1], t.metrics[0]);
  }
  std::sort(expected.begin(), expected.end());
  const nlohmann::json fronts = nlohmann::json::parse(text_of(at("all/fronts.json")))["fronts"];
  ASSERT_EQ(fronts.size(), 1u);
  for (const auto& point : fronts[0]["points"]) found.emplace_back(point["metrics"]["latency_ms@pi"], point["metrics"]["accuracy"]);
  EXPECT_EQ(found, expected);
}

TEST_F(MergeTest, ConflictingTrialIsRefused) {
  const std::string a = make_run("a", 1, 3);
  merge_runs({a}, at("all"));
  RunRecord other;
  for_each_run({a}, [&](RunRecord run) { other = std::move(run); });
  other.trials[1].metrics[0] = 0.123;
  MergedStore merged(at("all"), MergedStore::Mode::kWrite);
  try {
    merged.add(other);
    FAIL() << "no error";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("trial 1 differs"));
  }
}

TEST_F(MergeTest, OtherFoldersAreRefused) {
  fs::create_directories(at("empty"));
  EXPECT_THROW(merge_runs({at("empty")}, at("all")), UserError);
}

TEST_F(MergeTest, BetterMethodIsFound) {
  std::vector<std::string> runs;
  for (int seed = 0; seed < 8; ++seed) {
    runs.push_back(make_run("weak" + std::to_string(seed), seed, 20, "[nsga2]", 0));
    runs.push_back(make_run("strong" + std::to_string(seed), seed, 20, "[bayes]", 0.1));
  }
  ResultCollector collector("");
  for_each_run(runs, [&](const RunRecord& run) { collector.add(run); });
  const ResultCollector::Collection all = std::move(collector).finish();
  EXPECT_EQ(all.compared, "search.agents");
  EXPECT_EQ(all.methods, (std::vector<std::string>{"[bayes]", "[nsga2]"}));
  const Comparison comparison = compare_methods(all);
  ASSERT_EQ(comparison.pairs.size(), 1u);
  EXPECT_EQ(comparison.pairs[0].blocks, 8);
  EXPECT_EQ(comparison.pairs[0].wins, 8);
  EXPECT_NEAR(comparison.pairs[0].test.p_value, 2.0 / 256, 1e-12);  // all eight signs alike
  EXPECT_EQ(comparison.ranks.mean_ranks, (std::vector<double>{1, 2}));
}

TEST_F(MergeTest, ReportWritesTablesInAllForms) {
  std::vector<std::string> runs;
  for (int seed = 0; seed < 4; ++seed) {
    runs.push_back(make_run("a" + std::to_string(seed), seed, 10, "[nsga2]", 0));
    runs.push_back(make_run("b" + std::to_string(seed), seed, 10, "[bayes]", 0.05));
  }
  merge_runs(runs, at("all"));
  const std::string report = write_sweep_report(at("all"), "", "");
  for (const char* name : {"summary.csv", "summary.md", "summary.tex", "pairs.csv", "ranks.tex", "runs.csv", "attainment.csv",
                           "attainment-1.svg", "report.md", "report.html"})
    EXPECT_TRUE(fs::exists(report + "/" + name)) << name;
  EXPECT_THAT(text_of(report + "/summary.tex"), HasSubstr("\\begin{tabular}{lllrrrrrrrr}"));
  EXPECT_THAT(text_of(report + "/pairs.csv"), HasSubstr("[bayes],[nsga2],4,4,0,"));
  EXPECT_EQ(text_of(report + "/report.html").find("https:"), std::string::npos);
}

TEST_F(MergeTest, RunsThatHaveNotEndedAreLeftOutOfTheReport) {
  fs::remove(make_run("a", 1, 5) + "/pareto.json");
  merge_runs({at("a")}, at("all"));
  EXPECT_THROW(write_sweep_report(at("all"), "", ""), UserError);
}

}  // namespace
}  // namespace lathe::experiments
