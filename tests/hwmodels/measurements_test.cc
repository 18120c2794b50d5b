// What the comparison with measured devices is built on.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>

#include "bench/measurements/csv.h"
#include "bench/measurements/nasbench201_cell.h"
#include "bench/measurements/statistics.h"
#include "models/base/error.h"

namespace lathe::measurements {
namespace {

// scipy.stats.spearmanr, with ties.
TEST(Statistics, SpearmanSharesRanksAmongTies) {
  EXPECT_NEAR(spearman({1, 2, 2, 4, 5}, {3, 1, 4, 4, 9}), 0.763157894737, 1e-9);
  EXPECT_TRUE(std::isnan(spearman({1, 1}, {1, 2})));
}

TEST(Statistics, MedianErrorIsRelativeToTheMeasurement) {
  EXPECT_NEAR(median_relative_error({11, 18, 30, 7}, {10, 20, 20, 0}), 0.1, 1e-12);
}

TEST(Csv, QuotedFieldsHoldCommasAndWrongNumbersAreTheUsersFault) {
  const std::string path = ::testing::TempDir() + "/measurements_test.csv";
  std::ofstream(path) << "name,value\n\"a, b\",2.5\nc,x\n";
  const std::vector<CsvRow> rows = read_csv(path);
  std::remove(path.c_str());
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].at("name"), "a, b");
  EXPECT_EQ(number(rows[0], "value"), 2.5);
  EXPECT_EQ(number(rows[0], "absent", 7), 7);
  EXPECT_THROW(number(rows[1], "value"), UserError);
}

CsvRow cell(const char* e01, const char* e02, const char* e12, const char* e03, const char* e13, const char* e23) {
  return {{"e01", e01}, {"e02", e02}, {"e12", e12}, {"e03", e03}, {"e13", e13}, {"e23", e23}};
}

constexpr const char* kNone = "none";
constexpr const char* kSkip = "skip_connect";
constexpr const char* kConv1 = "nor_conv_1x1";
constexpr const char* kConv3 = "nor_conv_3x3";
constexpr const char* kPool = "avg_pool_3x3";

TEST(NasBench201Cell, FrameworkRunsEveryEdge) {
  EXPECT_EQ(eager_kernels(cell(kConv3, kNone, kPool, kSkip, kConv1, kNone)),
            (CellKernels{.zeroings = 2, .convs_1x1 = 1, .convs_3x3 = 1, .pools = 1}));
}

// Each cell beside its latency on raspi4, where a network without any kernel takes 2.8 ms, a 3x3 convolution 16.6 ms, a 1x1 one 2.3 ms and
// a pooling 2.6 ms.
TEST(NasBench201Cell, CompilerDropsWhatLeadsToASumTimesZero) {
  // 2.83 ms: node 2 sums a convolution and node 1, so that the zero is not folded into any weights.
  EXPECT_EQ(pruned_kernels(cell(kConv3, kConv3, kSkip, kSkip, kNone, kNone)), CellKernels{});
}

TEST(NasBench201Cell, CompilerRunsALoneConvolutionTimesZero) {
  // 34.6 ms: two 3x3 convolutions in a row, times zero.
  EXPECT_EQ(pruned_kernels(cell(kConv3, kNone, kConv3, kSkip, kNone, kNone)), (CellKernels{.convs_3x3 = 2}));
  // 20.0 ms: likewise through skip connections.
  EXPECT_EQ(pruned_kernels(cell(kSkip, kNone, kConv3, kNone, kSkip, kNone)), (CellKernels{.convs_3x3 = 1}));
}

TEST(NasBench201Cell, CompilerDropsAConvolutionTimesZeroThatOthersRead) {
  // 2.85 ms: node 1 is also read by the dead node 2.
  EXPECT_EQ(pruned_kernels(cell(kConv3, kPool, kConv1, kSkip, kNone, kNone)), CellKernels{});
}

TEST(NasBench201Cell, CompilerRunsConvolutionsOfConstants) {
  // 38.7 ms: nothing arrives at node 1, and all that follows runs.
  EXPECT_EQ(pruned_kernels(cell(kNone, kNone, kConv3, kSkip, kConv1, kConv3)), (CellKernels{.convs_1x1 = 1, .convs_3x3 = 2}));
}

}  // namespace
}  // namespace lathe::measurements
