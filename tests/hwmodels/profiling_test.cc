#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>
#include <sstream>

#include "hwmodels/profiling/layer_shape.h"
#include "hwmodels/profiling/measurement_table.h"
#include "hwmodels/profiling/onnx_runtime.h"
#include "hwmodels/profiling/power_meter.h"
#include "hwmodels/profiling/reference_kernels.h"
#include "hwmodels/profiling/timing.h"
#include "models/base/error.h"

namespace lathe::hwmodels {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Timing, SummarizesByOrderStatistics) {
  const Timing timing = summarize_times({5, 1, 2, 3, 4, 6, 7, 8, 9, 10});
  EXPECT_EQ(timing.median_ms, 5.5);
  EXPECT_EQ(timing.p10_ms, 2);
  EXPECT_EQ(timing.p90_ms, 9);
  EXPECT_EQ(timing.p99_ms, 10);
  EXPECT_EQ(timing.runs, 10);
  std::vector<double> hundreds(200);
  std::iota(hundreds.begin(), hundreds.end(), 1);
  EXPECT_EQ(summarize_times(hundreds).p99_ms, 198);
}

TEST(Timing, RunsTheJobsInTurn) {
  std::string order;
  time_jobs({[&] { order += 'a'; }, [&] { order += 'b'; }}, {.warm_up_s = 0, .rounds = 3, .burst_s = 0, .most_runs = 3});
  EXPECT_EQ(order, "ababab" + std::string("ab"));  // one warm-up each, then three rounds
}

// 1 2 3 / 4 5 6 / 7 8 9 under a 3x3 window of ones: the centre sees all, a corner four. By hand.
TEST(ReferenceKernels, PadsLikeAConvolution) {
  const LayerShape layer{.kernel_height = 3, .kernel_width = 3, .in_height = 3, .in_width = 3, .out_height = 3, .out_width = 3};
  const std::vector<float> input{1, 2, 3, 4, 5, 6, 7, 8, 9}, weights(9, 1);
  std::vector<float> output(9);
  reference_convolution(layer, input.data(), weights.data(), output.data());
  EXPECT_THAT(output, ElementsAre(12, 21, 16, 27, 45, 33, 24, 39, 28));
}

TEST(ReferenceKernels, GroupsReadTheirOwnChannels) {
  const LayerShape layer{.in_channels = 4, .out_channels = 2, .groups = 2};
  const std::vector<std::int8_t> input{1, 2, 3, 4}, weights{10, 20, 30, 40};
  std::vector<std::int32_t> output(2);
  reference_convolution(layer, input.data(), weights.data(), output.data());
  EXPECT_THAT(output, ElementsAre(1 * 10 + 2 * 20, 3 * 30 + 4 * 40));
}

class ProfilingFiles : public ::testing::Test {
 protected:
  ProfilingFiles() : folder_(std::filesystem::temp_directory_path() / ("lathe_profiling_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~ProfilingFiles() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& text) const {
    const std::string path = (folder_ / "layers.csv").string();
    std::ofstream(path) << text;
    return path;
  }
  std::filesystem::path folder_;
};

TEST_F(ProfilingFiles, LayerListsComeBack) {
  LayerShape layer{
      .name = "conv1", .in_channels = 16, .out_channels = 32, .kernel_height = 3, .kernel_width = 3, .in_height = 8, .in_width = 8};
  layer.out_height = layer.out_width = 8;
  std::stringstream text;
  write_layer_shapes({layer}, text);
  const std::vector<LayerShape> read = read_layer_shapes(write(text.str()));
  ASSERT_EQ(read.size(), 1U);
  EXPECT_EQ(read[0].name, "conv1");
  EXPECT_TRUE(read[0].has_same_shape(layer));
  EXPECT_EQ(layer.macs(), 8 * 8 * 32 * 16 * 9);
}

TEST_F(ProfilingFiles, FaultsOfALayerListNameTheirLines) {
  std::stringstream text;
  write_layer_shapes({}, text);
  const std::string path =
      write(text.str() + "a,conv,1,16,32,3,3,1,1,1,8,8,8,8\nb,pool,1,16,32,3,3,1,1,1,8,8,8,8\nc,conv,1,15,32,3,3,1,1,2,8,8,8,8\n");
  try {
    read_layer_shapes(path);
    FAIL() << "expected an error";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr(":3: kind: expected conv or gemm"));
    EXPECT_THAT(error.what(), HasSubstr(":4: groups: expected a divisor"));
  }
}

TEST(MeasurementTable, WritesEnergyWherePowerIsKnown) {
  Measurement row{.model = "a,b.onnx", .device = "GPU", .runtime = "libtorch", .precision = "fp32"};
  row.timing = {.median_ms = 2, .p10_ms = 1, .p90_ms = 3, .p99_ms = 4, .runs = 7};
  row.power_w = 100;
  std::stringstream text;
  write_measurements({row}, text);
  EXPECT_THAT(text.str(), HasSubstr("\"a,b.onnx\",,GPU,libtorch,fp32,1,1,2,1,3,4,7,,100,200,\n"));
}

TEST(PowerMeter, WithoutACounterThereIsNoPower) {
  EXPECT_EQ(average_power_w([] { return std::nullopt; }, [] {}, /*seconds=*/0), std::nullopt);
}

// A counter that has moved by a joule at every look: two looks find the first step, two more the last. What the device drew before the
// first step, while it warmed up, is left out.
TEST(PowerMeter, CountsFromOneStepToAnother) {
  int runs = 0, looks = 0, runs_before_first_look = -1;
  const auto counter = [&]() -> std::optional<double> {
    if (looks == 0) runs_before_first_look = runs;
    return ++looks;
  };
  const auto start = std::chrono::steady_clock::now();
  const std::optional<double> power_w = average_power_w(
      counter, [&] { ++runs; }, /*seconds=*/0);
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(power_w);
  EXPECT_GE(runs_before_first_look, 1);
  EXPECT_EQ(looks, 4);
  // Two joules, in no more than the time that the whole call took.
  EXPECT_GT(*power_w, 2 / spent.count());
}

TEST(OnnxRuntime, SaysWhatToDoWhereItIsMissing) {
  try {
    OnnxRuntime("/no/such/libonnxruntime.so");
    FAIL() << "expected an error";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("LATHE_ONNXRUNTIME"));
  }
}

TEST(OnnxRuntime, RefusesWhatIsNoModel) {
  std::unique_ptr<OnnxRuntime> runtime;
  try {
    runtime = std::make_unique<OnnxRuntime>();
  } catch (const UserError&) {
    GTEST_SKIP() << "ONNX Runtime is not here (scripts/setup.sh --tests brings it)";
  }
  try {
    runtime->make_job("not a model", {.label = "net.onnx"});
    FAIL() << "expected an error";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("net.onnx: ONNX Runtime cannot run this model"));
  }
}

}  // namespace
}  // namespace lathe::hwmodels
