#include "hwmodels/latency_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "hwmodels/hardware_model.h"
#include "models/base/error.h"
#include "sample_workloads.h"

namespace lathe::hwmodels {
namespace {

using ::testing::HasSubstr;

// The layout of HAQ's table (hw/haq_lut): latency of a batch of 16 in an unknown unit.
constexpr const char* kTable =
    "layer,kind,c_in,c_out,kernel,stride,groups,h_in,h_out,macs,weights,w_bits,a_bits,latency_raw,net_batch\n"
    "0,pw,16,96,1,1,1,56,56,1,1,8,8,1600,16\n"
    "0,pw,16,96,1,1,1,56,56,1,1,4,8,800,16\n"
    "0,pw,16,96,1,1,1,56,56,1,1,8,4,800,16\n"
    "1,pw,64,96,1,1,1,56,56,1,1,8,8,6400,16\n"
    "2,dw,96,96,3,1,96,56,56,1,1,8,8,480,16\n";

constexpr TableShape kPointwise{.in_channels = 16, .out_channels = 96, .kernel = 1, .stride = 1, .groups = 1, .in_height = 56};

TEST(LatencyTable, ReturnsWhatItHoldsForOneSample) {
  const LatencyTable table = parse_latency_table(kTable, "table.csv");
  EXPECT_DOUBLE_EQ(table.latency(kPointwise, 8, 8).value(), 100);
  EXPECT_DOUBLE_EQ(table.latency(kPointwise, 4, 8).value(), 50);
}

TEST(LatencyTable, InterpolatesBetweenWidths) {
  const LatencyTable table = parse_latency_table(kTable, "table.csv");
  const double between = table.latency(kPointwise, 6, 8).value();
  EXPECT_GT(between, 50);
  EXPECT_LT(between, 100);
}

TEST(LatencyTable, InterpolatesShapesByWork) {
  const LatencyTable table = parse_latency_table(kTable, "table.csv");
  TableShape between = kPointwise;
  between.in_channels = 32;
  // Both neighbours take the same time a multiply-accumulate, 100 for 16 channels and 400 for 64; this one has twice the work of the first.
  EXPECT_NEAR(table.latency(between, 8, 8).value(), 200, 1e-9);
}

TEST(LatencyTable, SaysWhatItDoesNotCover) {
  const LatencyTable table = parse_latency_table(kTable, "table.csv");
  TableShape strided = kPointwise;
  strided.kernel = 3;
  EXPECT_FALSE(table.latency(strided, 8, 8));
  TableShape far = kPointwise;
  far.in_channels = 512;
  EXPECT_FALSE(table.latency(far, 8, 8));
}

TEST(LatencyTable, ReadsTheNamesOfOtherTools) {
  const LatencyTable table = parse_latency_table("cin,cout,ks,strides,input_h,latency_ms\n3,32,3,2,224,1.5\n", "table.csv");
  EXPECT_DOUBLE_EQ(
      table.latency({.in_channels = 3, .out_channels = 32, .kernel = 3, .stride = 2, .groups = 1, .in_height = 224}, 32, 32).value(), 1.5);
}

std::string error_of(const std::string& text) {
  try {
    parse_latency_table(text, "table.csv");
  } catch (const UserError& error) {
    return error.what();
  }
  return "";
}

TEST(LatencyTable, NamesLineAndColumnOfAFault) {
  EXPECT_THAT(error_of("c_in,c_out,kernel,latency_ms\n"), HasSubstr("table.csv:1: no column for the input height"));
  EXPECT_THAT(error_of("c_in,c_out,kernel,h_in,latency_ms\n3,8,3,32,fast\n"),
              HasSubstr("table.csv:2: latency_ms: expected a number above 0, got 'fast'"));
  EXPECT_THAT(error_of("c_in,c_out,kernel,h_in,latency_ms\n"), HasSubstr("at least one row"));
}

class LookupTableDevice : public ::testing::Test {
 protected:
  LookupTableDevice() : folder_(std::filesystem::temp_directory_path() / ("lathe_lookup_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "table.csv") << kTable;
    std::ofstream(folder_ / "mine.yaml") << "name: mine\nclass: lookup_table\ntable: table.csv\ncapabilities:\n"
                                            "  channel_granularity: {value: 8, source: s}\n  weight_bits: {value: [4, 8], source: s}\n"
                                            "  activation_bits: {value: [4, 8], source: s}\nparameters:\n"
                                            "  table_unit_s: {value: 1e-6, source: s}\n";
  }
  ~LookupTableDevice() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(LookupTableDevice, SumsItsLayers) {
  const auto model = make_hardware_model(load_device((folder_ / "mine.yaml").string()));
  policies::Workload workload;
  workload.ops = {conv_op({.in = 16, .out = 96, .size = 56, .kernel = 1, .batch = 2, .weight_bits = 8, .activation_bits = 8}),
                  conv_op({.in = 96, .out = 96, .size = 56, .groups = 96, .batch = 2, .weight_bits = 8, .activation_bits = 8}),
                  add_op(100)};
  const Prediction prediction = model->predict(workload);
  EXPECT_NEAR(prediction.latency_ms, 2 * (0.1 + 0.03), 1e-9);  // 100 and 30 us a sample, batch 2
  EXPECT_THAT(prediction.notes, ::testing::Contains(HasSubstr("1 operators without weights")));
}

TEST_F(LookupTableDevice, NamesTheLayerThatIsMissing) {
  const auto model = make_hardware_model(load_device((folder_ / "mine.yaml").string()));
  try {
    model->op_cost(conv_op({.in = 3, .out = 32, .size = 224, .stride = 2, .weight_bits = 8, .activation_bits = 8}, "stem"));
    FAIL() << "expected an error";
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), HasSubstr("stem"));
    EXPECT_THAT(error.what(), HasSubstr("3x3 convolution, stride 2, 3 -> 32 channels, height 224"));
  }
}

TEST_F(LookupTableDevice, NeedsATable) {
  std::ifstream stream(folder_ / "mine.yaml");
  std::stringstream text;
  text << stream.rdbuf();
  std::string without = text.str();
  without.erase(without.find("table: table.csv\n"), std::string("table: table.csv\n").size());
  EXPECT_THROW(parse_device(without, "mine.yaml"), UserError);
}

}  // namespace
}  // namespace lathe::hwmodels
