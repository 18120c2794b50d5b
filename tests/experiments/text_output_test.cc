// Tables, numbers and progress lines as people see them; files that appear whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "experiments/config/paths.h"
#include "experiments/progress.h"
#include "experiments/run_directory.h"
#include "experiments/text_table.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

namespace fs = std::filesystem;

TEST(TextTable, AlignsByWidestCellAndCountsCodePoints) {
  TextTable table({{"name"}, {"ms", TextTable::Align::kRight}});
  table.add_row({"a", "12.5"});
  table.add_row({"±long", "3"});
  EXPECT_EQ(table.to_string(),
            "name     ms\n"
            "-----------\n"
            "a      12.5\n"
            "±long     3\n");
}

TEST(Formatting, Numbers) {
  EXPECT_EQ(format_significant(0.0012345, 3), "0.00123");
  EXPECT_EQ(format_significant(12.345, 3), "12.3");
  EXPECT_EQ(format_significant(4567.8, 3), "4568");
  EXPECT_EQ(format_significant(0, 3), "0");
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(999.7), "1.00 kB");
  EXPECT_EQ(format_bytes(1234567), "1.23 MB");
  EXPECT_EQ(format_count(41.0e6), "41.0 M");
  EXPECT_EQ(format_points(0.91734), "91.73 %");
  EXPECT_EQ(format_duration(59.4), "59 s");
  EXPECT_EQ(format_duration(125), "2 m 05 s");
  EXPECT_EQ(format_duration(3720), "1 h 02 m");
}

TEST(Progress, LinesEndWithTheFinalCount) {
  std::ostringstream out;
  Progress progress(out, Progress::Style::kLines);
  progress.start("search", 10);
  for (int i = 1; i <= 10; ++i) progress.update(i, "best 2.0x", /*recalled=*/4);
  progress.finish();
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);  // ten updates within a second are one line
  EXPECT_THAT(text, testing::StartsWith("search 10/10, "));
  EXPECT_THAT(text, testing::EndsWith("4 from the earlier run, best 2.0x\n"));
}

TEST(Progress, SilentSaysNothing) {
  std::ostringstream out;
  Progress progress(out, Progress::Style::kSilent);
  progress.say("hello");
  progress.start("search", 1);
  progress.finish();
  EXPECT_EQ(out.str(), "");
}

TEST(Paths, ExpandsVariablesWithFallback) {
  setenv("LATHE_TEST_A", "/data", /*overwrite=*/1);
  EXPECT_EQ(expand_environment("${LATHE_TEST_A}/x").text, "/data/x");
  EXPECT_EQ(expand_environment("${LATHE_TEST_NONE:-/other}/x").text, "/other/x");
  EXPECT_EQ(expand_environment("${LATHE_TEST_NONE}/x").missing, "LATHE_TEST_NONE");
  EXPECT_EQ(expand_environment("plain $x {y} ${open").text, "plain $x {y} ${open");
}

TEST(RunDirectory, RefusesWhatHoldsSomethingUnlessResumed) {
  const fs::path folder = fs::temp_directory_path() / ("lathe_run_" + std::to_string(getpid()));
  { RunDirectory first(folder / "a" / "b", /*is_resumed=*/false); }
  EXPECT_TRUE(fs::is_directory(folder / "a" / "b" / "policies"));
  EXPECT_THROW(RunDirectory(folder / "a" / "b", /*is_resumed=*/false), UserError);
  EXPECT_NO_THROW(RunDirectory(folder / "a" / "b", /*is_resumed=*/true));
  write_atomically(folder / "file", "one");
  write_atomically(folder / "file", "two");
  std::ifstream file(folder / "file");
  std::string text;
  file >> text;
  EXPECT_EQ(text, "two");
  EXPECT_THROW(RunDirectory(folder / "file", /*is_resumed=*/false), UserError);
  EXPECT_THROW(write_atomically(folder / "none" / "file", "x"), UserError);
  EXPECT_EQ(RunDirectory::policy_name(7), "policies/007.json");
  fs::remove_all(folder);
}

}  // namespace
}  // namespace lathe::experiments
