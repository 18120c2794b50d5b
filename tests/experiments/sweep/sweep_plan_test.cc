// Sweep files and what becomes of them: axes, faults, the Slurm script, the division of a machine.
#include "experiments/sweep/sweep_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>

#include "experiments/launchers/local_launcher.h"
#include "experiments/launchers/slurm_launcher.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class SweepFileTest : public testing::Test {
 protected:
  SweepFileTest() : folder_(fs::temp_directory_path() / ("lathe_sweep_" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
    std::ofstream(folder_ / "base.yaml") << "seed: 0\n";
  }
  ~SweepFileTest() override { fs::remove_all(folder_); }

  SweepFile read(const std::string& text) const {
    std::ofstream(folder_ / "sweep.yaml") << text;
    return read_sweep_file(folder_ / "sweep.yaml");
  }
  std::string message_of(const std::string& text) const {
    try {
      read(text);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  }

  fs::path folder_;
};

TEST_F(SweepFileTest, GridIsEveryCombinationWithTheLastAxisFastest) {
  const SweepPlan plan = expand(read("config: base.yaml\ngrid:\n  search.agents: [[nsga2], [bayes, ddpg]]\n  seed: [0, 1, 2]\n"));
  EXPECT_THAT(plan.keys, ElementsAre("search.agents", "seed"));
  ASSERT_EQ(plan.tasks.size(), 6u);
  EXPECT_THAT(plan.tasks[0].values, ElementsAre("[nsga2]", "0"));
  EXPECT_THAT(plan.tasks[1].values, ElementsAre("[nsga2]", "1"));
  EXPECT_THAT(plan.tasks[5].values, ElementsAre("[bayes, ddpg]", "2"));
  EXPECT_THAT(overrides_of(plan, plan.tasks[4]), ElementsAre("search.agents=[bayes, ddpg]", "seed=1"));
  EXPECT_EQ(describe(plan, plan.tasks[4]), "search.agents=[bayes, ddpg], seed=1");
}

TEST_F(SweepFileTest, ZippedKeysGoInStepAndCrossWithTheGrid) {
  const SweepPlan plan = expand(read("config: base.yaml\nzip: {model: [a.onnx, b.onnx], data.path: [a, b]}\ngrid: {seed: [0, 1]}\n"));
  ASSERT_EQ(plan.tasks.size(), 4u);
  std::set<std::vector<std::string>> seen;
  for (const SweepTask& task : plan.tasks) seen.insert(task.values);
  EXPECT_EQ(seen,
            (std::set<std::vector<std::string>>{{"a.onnx", "a", "0"}, {"a.onnx", "a", "1"}, {"b.onnx", "b", "0"}, {"b.onnx", "b", "1"}}));
}

TEST_F(SweepFileTest, RandomAxesKeepTheirRangesAndTheirSeed) {
  const std::string text =
      "config: base.yaml\nrandom:\n  count: 200\n  seed: 3\n  keys:\n    recover.fine_tune_learning_rate: {log_uniform: [0.001, 0.1]}\n"
      "    search.round: {integer: [4, 6]}\n    space.tie_bits: {choice: [true, false]}\n";
  const SweepPlan plan = expand(read(text));
  ASSERT_EQ(plan.tasks.size(), 200u);
  std::set<std::string> rounds, ties;
  double log_sum = 0;
  for (const SweepTask& task : plan.tasks) {
    const double rate = std::stod(task.values[0]);
    EXPECT_GE(rate, 0.001);
    EXPECT_LE(rate, 0.1);
    log_sum += std::log10(rate) / 200;
    rounds.insert(task.values[1]);
    ties.insert(task.values[2]);
  }
  EXPECT_THAT(rounds, ElementsAre("4", "5", "6"));
  EXPECT_THAT(ties, ElementsAre("false", "true"));
  EXPECT_NEAR(log_sum, -2, 0.13);  // three standard errors of the mean of 200 draws, uniform over two decades
  EXPECT_EQ(expand(read(text)), plan);
}

TEST_F(SweepFileTest, EachFaultIsNamedWithItsLine) {
  EXPECT_THAT(message_of("config: base.yaml\ngird: {seed: [0]}\n"), HasSubstr("sweep.yaml:2: gird: unknown key, did you mean 'grid'?"));
  EXPECT_THAT(message_of("grid: {seed: [0]}\n"), HasSubstr("config: missing; expected the config of one search"));
  EXPECT_THAT(message_of("config: nowhere.yaml\ngrid: {seed: [0]}\n"), HasSubstr("no such file, got 'nowhere.yaml'"));
  EXPECT_THAT(message_of("config: base.yaml\n"), HasSubstr("expected at least one of 'grid', 'zip' and 'random'"));
  EXPECT_THAT(message_of("config: base.yaml\ngrid: {seed: 3}\n"), HasSubstr("grid.seed: expected a list of values, at least one, got '3'"));
  EXPECT_THAT(message_of("config: base.yaml\nzip: {seed: [0, 1], batch: [1]}\n"),
              HasSubstr("zip.batch: expected as many values as 'seed' has (2), got '1'"));
  EXPECT_THAT(message_of("config: base.yaml\nset: {seed: 1}\ngrid: {seed: [0]}\n"),
              HasSubstr("grid.seed: this key of the config is already set"));
  EXPECT_THAT(message_of("config: base.yaml\nrandom: {keys: {seed: {normal: [0, 1]}}}\n"), HasSubstr("expected {uniform: [low, high]}"));
  EXPECT_THAT(message_of("config: base.yaml\ngrid: {seed: [0]}\nslurm: {cpus: 0}\n"),
              HasSubstr("slurm.cpus: expected a whole number from 1"));
  EXPECT_THAT(message_of("config: base.yaml\ngrid: {seed: [0]}\ncompare: model\n"), HasSubstr("compare: expected one of the keys"));
}

TEST_F(SweepFileTest, ComparesAgentsUnlessTold) {
  EXPECT_EQ(compared_key(read("config: base.yaml\ngrid: {seed: [0], model: [a], search.round: [4], search.agents: [[nsga2]]}\n")),
            "search.agents");
  EXPECT_EQ(compared_key(read("config: base.yaml\ngrid: {seed: [0], model: [a], search.round: [4, 8]}\n")), "search.round");
  EXPECT_EQ(compared_key(read("config: base.yaml\ngrid: {seed: [0], model: [a, b]}\n")), "");
  EXPECT_EQ(compared_key(read("config: base.yaml\ncompare: model\ngrid: {seed: [0], model: [a, b]}\n")), "model");
}

TEST(SlurmScript, NamesRangesOfTheArray) {
  EXPECT_EQ(array_ranges({0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
  EXPECT_EQ(array_ranges({4}), "4");
}

TEST(SlurmScript, CarriesResourcesAndRequeues) {
  SweepFile file{.output = "/data/it's here"};
  file.slurm = {.partition = "gpu",
                .time = "01:00:00",
                .memory = "4G",
                .dependency = "afterok:17",
                .cpus = 3,
                .max_running = 5,
                .setup = {"module load lathe"},
                .options = {"--exclude=n7"}};
  const std::string script = slurm_script(file, {0, 1, 2, 3});
  for (const char* line : {"#!/bin/bash\n", "#SBATCH --array=0-3%5\n", "#SBATCH --partition=gpu\n", "#SBATCH --time=01:00:00\n",
                           "#SBATCH --mem=4G\n", "#SBATCH --cpus-per-task=3\n", "#SBATCH --dependency=afterok:17\n", "#SBATCH --requeue\n",
                           "#SBATCH --signal=B:USR1@90\n", "#SBATCH --exclude=n7\n", "module load lathe\n", "'/data/it'\\''s here'",
                           "scontrol requeue \"${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\""})
    EXPECT_THAT(script, HasSubstr(line));
  file.slurm.requeue = false;
  EXPECT_EQ(slurm_script(file, {0}).find("scontrol"), std::string::npos);
}

TEST(LaunchPlan, DividesTheMachine) {
  const std::vector<int> five{0, 1, 2, 3, 4};
  LocalLaunch launch = plan_launch({}, five, /*processors=*/8, /*free_memory_mb=*/1000);
  EXPECT_EQ(launch.jobs, 5);
  EXPECT_EQ(launch.threads, 1);
  launch = plan_launch({}, {7}, 8, 1000);
  EXPECT_EQ(launch.jobs, 1);
  EXPECT_EQ(launch.threads, 8);
  launch = plan_launch({.threads = 4}, five, 8, 1000);
  EXPECT_EQ(launch.jobs, 2);
  launch = plan_launch({.memory_mb = 400}, five, 8, 1000);
  EXPECT_EQ(launch.jobs, 2);
  EXPECT_EQ(launch.threads, 4);
  launch = plan_launch({.jobs = 3, .threads = 2}, five, 1, 1);
  EXPECT_EQ(launch.jobs, 3);
  EXPECT_EQ(launch.threads, 2);
}

}  // namespace
}  // namespace lathe::experiments
