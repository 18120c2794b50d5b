#include "search/evolution/variation.h"

#include <gtest/gtest.h>

namespace lathe::search {
namespace {

constexpr int kValues = 1001;

// Deb and Agrawal 1995: children keep the parents' mean on average, and spread about them.
TEST(Sbx, KeepsTheMeanAndTheBounds) {
  Rng rng(1, "sbx");
  double sum = 0, inherited = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const int child = sbx_choice(400, 600, kValues, rng);
    ASSERT_GE(child, 0);
    ASSERT_LT(child, kValues);
    sum += child;
    inherited += child == 400;
  }
  // Half are inherited from the first parent, the others average 500: 450, with a deviation of about 60 / sqrt(20000).
  EXPECT_NEAR(sum / kDraws, 450, 3);
  EXPECT_GT(inherited / kDraws, 0.5);
  for (int i = 0; i < 2000; ++i) {
    const int child = sbx_choice(0, 1000, kValues, rng);
    ASSERT_GE(child, 0);
    ASSERT_LT(child, kValues);
  }
  EXPECT_EQ(sbx_choice(7, 7, kValues, rng), 7);
}

// E|delta| of polynomial mutation with index 20 far from the bounds is 1 / (21 + 1) of the range.
TEST(PolynomialMutation, HasItsMeanStepAndKeepsTheBounds) {
  Rng rng(2, "polynomial");
  double sum = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) sum += std::abs(polynomial_choice(500, kValues, rng) - 500);
  EXPECT_NEAR(sum / kDraws / (kValues - 1), 1.0 / 22, 1.5e-3);
  for (int i = 0; i < 2000; ++i) {
    EXPECT_GE(polynomial_choice(0, kValues, rng), 0);
    EXPECT_LT(polynomial_choice(kValues - 1, kValues, rng), kValues);
  }
}

TEST(LeaptChoice, AlwaysMovesAndStaysInside) {
  Rng rng(3, "leapt");
  for (int i = 0; i < 5000; ++i) {
    const int from = static_cast<int>(rng.below(kValues)), to = leapt_choice(from, kValues, rng);
    EXPECT_NE(from, to);
    EXPECT_GE(to, 0);
    EXPECT_LT(to, kValues);
  }
}

}  // namespace
}  // namespace lathe::search
