#include "search/quasi_random/halton.h"

#include <gtest/gtest.h>

#include <set>

namespace lathe::search {
namespace {

TEST(ScrambledHalton, IsStratifiedInEveryDimension) {
  const ScrambledHalton halton(10, Rng(1, "halton"));
  const int primes[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29};
  for (std::size_t d = 0; d < 10; ++d) {
    const int cells = primes[d] * primes[d];  // two digits: base^2 successive points fill base^2 cells once each
    std::set<int> hit;
    for (int i = 0; i < cells; ++i) {
      const double x = halton.point(static_cast<std::uint64_t>(i))[d];
      ASSERT_GE(x, 0);
      ASSERT_LT(x, 1);
      hit.insert(static_cast<int>(x * cells));
    }
    EXPECT_EQ(static_cast<int>(hit.size()), cells) << "dimension " << d;
  }
}

TEST(ScrambledHalton, DependsOnTheSeedAlone) {
  const ScrambledHalton a(4, Rng(1, "halton")), same(4, Rng(1, "halton")), other(4, Rng(2, "halton"));
  EXPECT_EQ(a.point(17), same.point(17));
  EXPECT_NE(a.point(17), other.point(17));
}

}  // namespace
}  // namespace lathe::search
