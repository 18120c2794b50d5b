#include "models/base/error.h"

#include <gtest/gtest.h>

namespace lathe {
namespace {

TEST(UserError, NamesFileLineKeyAndWhatWasExpected) {
  const UserError error(
      Fault{.file = "a.yaml", .line = 12, .key = "search.trials", .expected = "expected a positive integer", .got = "many"});
  EXPECT_STREQ(error.what(), "a.yaml:12: search.trials: expected a positive integer, got 'many'");
}

TEST(UserError, PrintsOneLineAFault) {
  const UserError error({Fault{.file = "a.yaml", .line = 1, .expected = "x"}, Fault{.key = "k", .expected = "y"}});
  EXPECT_STREQ(error.what(), "a.yaml:1: x\nk: y");
}

TEST(NearestSpelling, FindsTheTypoAndNothingFarAway) {
  EXPECT_EQ(nearest_spelling("trails", {"trials", "threads"}), "trials");
  EXPECT_EQ(nearest_spelling("xyzzy", {"trials", "threads"}), "");
}

}  // namespace
}  // namespace lathe
