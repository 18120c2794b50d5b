#include "search/problems/policy_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "models/base/error.h"
#include "policies/candidate_index.h"
#include "search/constraints.h"
#include "search/pareto.h"

namespace lathe::search {
namespace {

using policies::Candidate;
using policies::DecisionKind;

// Two decisions of two and three values; accuracy falls from 0.9 at index 5, the uncompressed policy, by what the digits say.
PolicyTable small_table() {
  PolicyTable table{.model_name = "small", .model_sha256 = "ab", .search_rows = 1000, .test_rows = 500};
  table.space.groups.push_back({0, "stage1", 16});
  table.space.layers.push_back({.node = 0,
                                .name = "stage1",
                                .op = "Conv",
                                .macs = 7,
                                .parameters = 5,
                                .in_channels = 16,
                                .out_channels = 16,
                                .kernel = 3,
                                .stride = 1,
                                .groups = 1,
                                .input_elements = 3,
                                .output_elements = 4});
  table.space.decisions = {{DecisionKind::kKeptChannels, 0, "stage1/keep", {8, 16}},
                           {DecisionKind::kWeightBits, 0, "stage1/weight_bits", {2, 4, 8}}};
  table.search_correct = {100, 300, 400, 700, 800, 900};
  table.test_correct = {50, 150, 200, 350, 400, 450};
  table.exact["latency_ms@board"] = {1, 2, 3, 4, 5, 6};
  table.exact["packed_bytes"] = {60, 50, 40, 30, 20, 10};
  return table;
}

class PolicyTableFile : public testing::Test {
 protected:
  ~PolicyTableFile() override { std::filesystem::remove(path_); }
  const std::string path_ = testing::TempDir() + "policy_table_test." + testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(PolicyTableFile, ReadsBackWhatWasWritten) {
  write_policy_table(small_table(), path_);
  EXPECT_EQ(read_policy_table(path_), small_table());
}

TEST_F(PolicyTableFile, ATableThatEndsEarlyIsAnError) {
  write_policy_table(small_table(), path_);
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - 1);
  EXPECT_THROW(read_policy_table(path_), UserError);
}

TEST_F(PolicyTableFile, AnotherFileIsAnError) {
  std::ofstream(path_) << "index,accuracy\n";
  EXPECT_THROW(read_policy_table(path_), UserError);
  EXPECT_THROW(read_policy_table(path_ + ".missing"), UserError);
}

TEST(TableProblem, LooksAccuracyAndExactMetricsUp) {
  const StandardProblem made = make_table_problem(small_table(), {.objectives = {"latency_ms@board", "packed_bytes"}});
  const Candidate candidate{{1, 1}};  // index 3
  EXPECT_DOUBLE_EQ(made.measured(candidate), 0.7);
  const ExactScore score = score_exactly(made.problem, candidate);
  EXPECT_DOUBLE_EQ(score.metrics[1], 4);
  EXPECT_DOUBLE_EQ(score.metrics[2], 30);
  // 0.9 - 0.4; 1.1 of the uncompressed policy's 6 ms and 10 bytes
  EXPECT_NEAR(made.problem.fronts[0].reference_point[0], 0.5, 1e-12);
  EXPECT_NEAR(made.problem.fronts[0].reference_point[1], 6.6, 1e-12);
  EXPECT_NEAR(made.problem.fronts[0].reference_point[2], 11, 1e-12);
  EXPECT_NEAR(made.stddev, std::sqrt(0.9 * 0.1 / 1000), 1e-12);
}

TEST(TableProblem, SensitivitiesAreDropsOfSingleDecisions) {
  const StandardProblem made = make_table_problem(small_table(), {.objectives = {"packed_bytes"}, .has_sensitivity = true});
  ASSERT_EQ(made.problem.sensitivity.size(), 2U);
  EXPECT_NEAR(made.problem.sensitivity[0][0], 0.1, 1e-12);  // index 4
  EXPECT_NEAR(made.problem.sensitivity[0][1], 0, 1e-12);
  EXPECT_NEAR(made.problem.sensitivity[1][0], 0.6, 1e-12);  // index 1
  EXPECT_NEAR(made.problem.sensitivity[1][1], 0.2, 1e-12);  // index 3
  EXPECT_EQ(sensitivity_evaluations(made.problem.space), 4);
}

// The committed table. Reference values by numpy and pymoo 0.6.2 (indicators.hv) from the same file.
TEST(TableProblem, TheWholePublicTableHasThisHypervolume) {
  const PolicyTable table = read_policy_table(std::string(LATHE_SOURCE_DIR) + "/bench/policy_table/resnet20.table");
  ASSERT_EQ(table.search_correct.size(), 26244U);
  EXPECT_EQ(table.search_correct.back(), 2735);  // of 3000: 8 bits, nothing pruned
  const StandardProblem made = make_table_problem(table, {});
  std::vector<Trial> trials;
  for (std::uint64_t index = 0; index < table.search_correct.size(); ++index) {
    Trial trial{.id = static_cast<std::int64_t>(index), .candidate = policies::candidate_at(table.space, index)};
    trial.metrics = score_exactly(made.problem, trial.candidate).metrics;
    trial.metrics[0] = made.measured(trial.candidate);
    trials.push_back(std::move(trial));
  }
  EXPECT_NEAR(front_hypervolume(made.problem, made.problem.fronts[0], trials), 0.3554487075, 1e-9);
  EXPECT_EQ(pareto_set(made.problem, made.problem.fronts[0], trials).size(), 13U);
}

TEST(TableProblem, AMetricThatTheTableLacksIsAnError) {
  EXPECT_THROW(make_table_problem(small_table(), {.objectives = {"latency_ms@other"}}), UserError);
}

}  // namespace
}  // namespace lathe::search
