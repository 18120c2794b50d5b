// Headings as people wrote them for ncnn's benchmark table.
#include "bench/hardware_truth/arm_data_sheet.h"

#include <gtest/gtest.h>

#include "hwmodels/hardware_model.h"

namespace lathe::bench {
namespace {

struct Cluster {
  const char* core;
  double clock_ghz;
  int cores;
};

void expect_clusters(const std::string& title, const std::vector<Cluster>& expected) {
  SCOPED_TRACE(title);
  const ArmBoard board = ArmDataSheets().board(title);
  ASSERT_EQ(board.clusters.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(board.clusters[i].core.name, expected[i].core);
    EXPECT_NEAR(board.clusters[i].clock_hz, expected[i].clock_ghz * 1e9, 1);
    EXPECT_EQ(board.clusters[i].cores, expected[i].cores);
  }
  EXPECT_GT(board.dram_bytes_per_s, 0);
}

TEST(ArmDataSheet, ReadsCoresClocksAndCounts) {
  expect_clusters("Khadas VIM3, Amlogic A311D (Cortex-A73 2.2GHz x 4 + Cortex-A53 1.8GHz x 2)",
                  {{"Cortex-A73", 2.2, 4}, {"Cortex-A53", 1.8, 2}});
  expect_clusters("Raspberry Pi 4 Model B Broadcom BCM2711B0, Cortex-A72 (ARMv8) (1.8GHz x 4)", {{"Cortex-A72", 1.8, 4}});
  expect_clusters("Z7-Lite 7020 XC7Z020CLG400-2 (Cortex-A9 766MHz x 2)", {{"Cortex-A9", 0.766, 2}});
  expect_clusters("Freescale i.MX7 Dual (Cortex A7 1.0GHz x 2)", {{"Cortex-A7", 1.0, 2}});
  expect_clusters("Arduino UNO Q - QRB2210 (ARM Cortex-A53 @ 2.0GHz x 4)", {{"Cortex-A53", 2.0, 4}});
  expect_clusters("Phytium FT-2000/4 (FTC663 armv8 2.2GHz x 4)", {{"FTC", 2.2, 4}});
}

TEST(ArmDataSheet, AClockWithoutACoreBelongsToTheCoreBefore) {
  expect_clusters("(Cortex-X4 3.25 GHz + 2.85 GHz x 3 + Cortex-A720 2.0 GHz x 4 + Mali-G720-Immortalis MC12)",
                  {{"Cortex-X4", 3.25, 1}, {"Cortex-X4", 2.85, 3}, {"Cortex-A720", 2.0, 4}});
}

TEST(ArmDataSheet, TheGpusClockIsNoCluster) {
  expect_clusters("NVIDIA Jetson AGX Orin (Cortex-A78AE 2.2 GHz x 12 + Ampere@1.3 GHz Tensor Cores 64)", {{"Cortex-A78", 2.2, 12}});
}

TEST(ArmDataSheet, ChipsWhoseHeadingsNameNoCoreAreLookedUp) {
  expect_clusters("NVIDIA Jetson Nano", {{"Cortex-A57", 1.43, 4}});
  const ArmBoard m1 = ArmDataSheets().board("MacBook Pro (13-inch, M1, 2020)");
  EXPECT_EQ(m1.clusters.front().core.name, "Apple-M1");
  const ArmBoard snapdragon =
      ArmDataSheets().board("Qualcomm SM8150-AC Snapdragon 855+ (Kyro485 2.96 GHz + 2.42 GHz x 3 + 1.80 GHz x 4 + Adreno 640)");
  EXPECT_EQ(snapdragon.clusters.front().core.name, "Cortex-A76");
  EXPECT_EQ(ArmDataSheets().board("a board that nobody has heard of").clusters.front().core.name, "Cortex-A72");
}

TEST(ArmDataSheet, TheSlowestCoreInUseDecides) {
  const ArmBoard board = ArmDataSheets().board("OrangePi4 LTS, Rockchip RK3399 (Cortex-A72 1.8GHz x 2 + Cortex-A53 1.4GHz x 4)");
  EXPECT_EQ(run_on(board, 2, CoreChoice::kBig).slowest.core.name, "Cortex-A72");
  EXPECT_EQ(run_on(board, 4, CoreChoice::kLittle).slowest.core.name, "Cortex-A53");
  EXPECT_EQ(run_on(board, 1, CoreChoice::kAll).slowest.core.name, "Cortex-A72");
  EXPECT_EQ(run_on(board, 6, CoreChoice::kAll).slowest.core.name, "Cortex-A53");
  EXPECT_EQ(run_on(board, 6, CoreChoice::kAll).threads, 6);
}

TEST(ArmDataSheet, ADotProductMakesBytesFasterThanFloats) {
  const ArmDataSheets sheets;
  const ArmBoard old = sheets.board("(Cortex-A72 1.8GHz x 4)"), newer = sheets.board("(Cortex-A76 2.4GHz x 4)");
  const auto old_device = device_of(old, run_on(old, 1, CoreChoice::kAll)), device = device_of(newer, run_on(newer, 1, CoreChoice::kAll));
  EXPECT_FALSE(old_device.parameters.contains("fp16_macs_per_cycle"));
  EXPECT_EQ(device.at("fp16_macs_per_cycle"), 16);
  EXPECT_EQ(device.at("int8_macs_per_cycle"), 24);
  EXPECT_NEAR(old_device.at("int8_macs_per_cycle"), 16.0 / 3, 1e-12);
}

}  // namespace
}  // namespace lathe::bench
