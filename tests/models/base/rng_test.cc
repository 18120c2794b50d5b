#include "models/base/rng.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lathe {
namespace {

TEST(Rng, IsAPureFunctionOfSeedPurposeAndId) {
  Rng a(1, "agent", 2), b(1, "agent", 2), other_id(1, "agent", 3), other_purpose(1, "data", 2), other_seed(2, "agent", 2);
  const std::uint64_t first = a();
  EXPECT_EQ(first, b());
  EXPECT_NE(first, other_id());
  EXPECT_NE(first, other_purpose());
  EXPECT_NE(first, other_seed());
}

// Mean 1/2 and variance 1/12 of the uniform, mean 0 and variance 1 of the normal; tolerance: five standard errors of 100,000 draws.
TEST(Rng, HasTheMomentsOfItsDistributions) {
  Rng rng(7, "moments");
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
  constexpr int kDraws = 100000;
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform(), z = rng.normal();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
    squares += u * u;
    normal_sum += z;
    normal_squares += z * z;
  }
  EXPECT_NEAR(sum / kDraws, 0.5, 0.005);
  EXPECT_NEAR(squares / kDraws, 1.0 / 3, 0.005);
  EXPECT_NEAR(normal_sum / kDraws, 0, 0.016);
  EXPECT_NEAR(normal_squares / kDraws, 1, 0.023);
}

TEST(Rng, ShuffleKeepsEveryItem) {
  std::vector<int> items{1, 2, 3, 4, 5, 6, 7, 8};
  Rng rng(3, "shuffle");
  rng.shuffle(items);
  EXPECT_NE(items, (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8}));
  std::sort(items.begin(), items.end());
  EXPECT_EQ(items, (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8}));
}

}  // namespace
}  // namespace lathe
