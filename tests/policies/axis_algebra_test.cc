#include "policies/axis_algebra.h"

#include <gtest/gtest.h>

#include <sstream>

#include "models/network.h"

namespace lathe::policies {
namespace {

// "[a8*2][b3]": dimensions by letter in order of appearance over all axes printed, integers bare.
class Printer {
 public:
  explicit Printer(AxisAlgebra& algebra) : algebra_(algebra) {}

  std::string operator()(const Axis& axis) {
    std::ostringstream out;
    for (const Product& product : algebra_.resolve(axis)) {
      out << '[';
      for (std::size_t i = 0; i < product.size(); ++i) {
        if (i > 0) out << '*';
        const Term& term = product[i];
        if (term.dimension >= 0 && !algebra_.is_frozen(term.dimension)) out << letter(term.dimension);
        out << term.size;
      }
      out << ']';
    }
    return out.str();
  }

 private:
  char letter(int dimension) {
    const auto found = std::find(seen_.begin(), seen_.end(), dimension);
    if (found != seen_.end()) return static_cast<char>('a' + (found - seen_.begin()));
    seen_.push_back(dimension);
    return static_cast<char>('a' + seen_.size() - 1);
  }

  AxisAlgebra& algebra_;
  std::vector<int> seen_;
};

Axis concatenate(const Axis& a, const Axis& b) {
  Axis result = a;
  result.insert(result.end(), b.begin(), b.end());
  return result;
}

Axis product(AxisAlgebra& algebra, const std::vector<Axis>& factors) {
  return algebra.multiply(factors);
}

TEST(AxisAlgebra, EqualDimensionsBecomeOne) {
  AxisAlgebra algebra;
  const Axis a = algebra.fresh(8), b = algebra.fresh(8);
  algebra.unify(a, b, "");
  Printer print(algebra);
  EXPECT_EQ(print(a), "[a8]");
  EXPECT_EQ(print(b), "[a8]");
}

TEST(AxisAlgebra, FreezingSpreadsWithItsReason) {
  AxisAlgebra algebra;
  const Axis a = algebra.fresh(8), b = algebra.fresh(8);
  algebra.unify(a, algebra.fixed(8, "network input"), "");
  algebra.unify(b, a, "");
  EXPECT_FALSE(algebra.has_prunable(b));
  EXPECT_EQ(algebra.reason_of(algebra.resolve(b)[0][0]), "network input");
}

TEST(AxisAlgebra, DimensionAgainstConcatenationSplitsIntoSum) {
  AxisAlgebra algebra;
  const Axis a = algebra.fresh(3), b = algebra.fresh(5), whole = algebra.fresh(8);
  algebra.unify(concatenate(a, b), whole, "");
  Printer print(algebra);
  EXPECT_EQ(print(a), "[a3]");
  EXPECT_EQ(print(whole), "[a3][b5]");
  EXPECT_EQ(print(b), "[b5]");
}

TEST(AxisAlgebra, TensorConcatenatedWithItselfSharesItsDimension) {
  AxisAlgebra algebra;
  const Axis a = algebra.fresh(4), weight = algebra.fresh(8);
  algebra.unify(weight, concatenate(a, a), "");
  EXPECT_EQ(Printer(algebra)(weight), "[a4][a4]");
}

TEST(AxisAlgebra, OffsetConcatenationsRefineEachOther) {
  AxisAlgebra algebra;
  const Axis a = algebra.fresh(2), b = algebra.fresh(6), c = algebra.fresh(5), d = algebra.fresh(3);
  algebra.unify(concatenate(a, b), concatenate(c, d), "");
  Printer print(algebra);
  EXPECT_EQ(print(concatenate(a, b)), "[a2][b3][c3]");
  EXPECT_EQ(print(concatenate(c, d)), "[a2][b3][c3]");
}

TEST(AxisAlgebra, FlattenedFeaturesFollowTheirChannel) {
  AxisAlgebra algebra;
  const Axis channels = algebra.fresh(16), weight = algebra.fresh(16 * 49);
  algebra.unify(product(algebra, {channels, algebra.fixed(7, "space"), algebra.fixed(7, "space")}), weight, "");
  Printer print(algebra);
  EXPECT_EQ(print(weight), "[a16*7*7]");
  EXPECT_EQ(print(channels), "[a16]");
}

TEST(AxisAlgebra, HeadsTimesWidthStayTwoDimensions) {
  AxisAlgebra algebra;
  const Axis hidden = algebra.fresh(12 * 32), heads = algebra.fresh(12), width = algebra.fresh(32);
  algebra.unify(hidden, product(algebra, {heads, width}), "");
  EXPECT_EQ(Printer(algebra)(hidden), "[a12*b32]");
}

// ShuffleNet: two halves A, B are viewed as 2 x K, transposed to K x 2.
TEST(AxisAlgebra, ChannelShuffleCouplesBothHalves) {
  AxisAlgebra algebra;
  const Axis a = algebra.fresh(4), b = algebra.fresh(4), two = algebra.fresh(2), k = algebra.fresh(4);
  algebra.unify(concatenate(a, b), product(algebra, {two, k}), "");
  const Axis shuffled = product(algebra, {k, two});
  Printer print(algebra);
  EXPECT_EQ(print(a), print(b));
  EXPECT_EQ(print(a), "[a4]");
  EXPECT_EQ(print(shuffled), "[a4*2]");
  // Cut into halves, K falls apart into two dimensions, of which each half of the network's input is made.
  const auto [first, second] = algebra.split(shuffled, 4, "");
  Printer after(algebra);
  EXPECT_EQ(after(first), "[a2*2]");
  EXPECT_EQ(after(second), "[b2*2]");
  EXPECT_EQ(after(a), "[a2][b2]");
}

TEST(AxisAlgebra, GroupedAxisOfConcatenationKeepsGroupsApart) {
  AxisAlgebra algebra;
  const Axis a = algebra.fresh(8), b = algebra.fresh(16), groups = algebra.fresh(6), width = algebra.fresh(4);
  algebra.unify(concatenate(a, b), product(algebra, {groups, width}), "");
  Printer print(algebra);
  EXPECT_EQ(print(a), "[a2*b4]");
  EXPECT_EQ(print(b), "[c4*b4]");
  EXPECT_EQ(print(groups), "[a2][c4]");
}

TEST(AxisAlgebra, CutInsideAGroupFreezesTheGroups) {
  AxisAlgebra algebra;
  const Axis a = algebra.fresh(6), b = algebra.fresh(6), groups = algebra.fresh(3), width = algebra.fresh(4);
  algebra.unify(concatenate(a, b), product(algebra, {groups, width}), "cut");
  EXPECT_FALSE(algebra.has_prunable(groups));
  // Every group must lose the same indices, and each half holds one and a half groups.
  Printer print(algebra);
  EXPECT_EQ(print(width), "[a2][b2]");
  EXPECT_EQ(print(a), "[a2][b2][a2]");
  EXPECT_EQ(print(b), "[b2][a2][b2]");
}

TEST(AxisAlgebra, ExtentsThatDoNotDivideAreFrozen) {
  AxisAlgebra algebra;
  const Axis six = algebra.fresh(6), four = algebra.fresh(4), other_four = algebra.fresh(4), other_six = algebra.fresh(6);
  algebra.unify(product(algebra, {six, four}), product(algebra, {other_four, other_six}), "does not divide");
  for (const Axis& axis : {six, four, other_four, other_six}) EXPECT_FALSE(algebra.has_prunable(axis));
}

TEST(AxisAlgebra, TransposedProductOfOneDimensionTerminates) {
  for (const std::int64_t size : {2, 3, 4, 6, 8, 12}) {
    AxisAlgebra algebra;
    const Axis d = algebra.fresh(size), two = algebra.fixed(2, "two");
    algebra.unify(product(algebra, {d, two}), product(algebra, {two, d}), "transposed");
    EXPECT_EQ(extent(algebra.resolve(d)), size);
  }
}

TEST(AxisAlgebra, SumBelowAPrunableFactorFreezesThatFactor) {
  AxisAlgebra algebra;
  const Axis outer = algebra.fresh(3), inner = algebra.fresh(4);
  const Axis whole = product(algebra, {outer, inner});
  algebra.split(inner, 1, "");
  Printer print(algebra);
  EXPECT_EQ(print(whole), "[][a3][][a3][][a3]");
  EXPECT_FALSE(algebra.has_prunable(outer));
}

TEST(AxisAlgebra, BatchTimesHeadsKeepsHeads) {
  AxisAlgebra algebra;
  const Axis batch = algebra.fixed(models::kDynamic, "batch"), heads = algebra.fresh(4), other = algebra.fresh(4);
  const Axis a = product(algebra, {batch, heads}), b = product(algebra, {batch, other});
  EXPECT_EQ(extent(a), models::kDynamic);
  algebra.unify(a, b, "");
  Printer print(algebra);
  EXPECT_EQ(print(heads), "[a4]");
  EXPECT_EQ(print(other), "[a4]");
}

// After unification both sides keep the same indices: checked by equal structure, on random expressions of one extent.
TEST(AxisAlgebra, UnifiedAxesPrintAlike) {
  for (int seed = 0; seed < 200; ++seed) {
    AxisAlgebra algebra;
    std::uint64_t state = static_cast<std::uint64_t>(seed) * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto below = [&state](int bound) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      return static_cast<int>((state >> 33) % static_cast<std::uint64_t>(bound));
    };
    const auto random_axis = [&] {
      Axis axis;
      std::int64_t left = 24;
      while (left > 0) {
        const std::int64_t outer = 1 + below(4), inner = 1 + below(3);
        if (outer * inner > left) continue;
        const Axis part = product(algebra, {algebra.fresh(outer), algebra.fresh(inner)});
        axis.insert(axis.end(), part.begin(), part.end());
        left -= outer * inner;
      }
      return axis;
    };
    const Axis a = random_axis(), b = random_axis(), c = random_axis();
    algebra.unify(a, b, "x");
    algebra.unify(b, c, "x");
    // The keep pattern: every prunable dimension drops its last index.
    const auto pattern = [&](const Axis& axis) {
      std::vector<bool> kept;
      for (const Product& segment : algebra.resolve(axis)) {
        std::vector<bool> part{true};
        for (const Term& term : segment) {
          std::vector<bool> next;
          const bool prunable = term.dimension >= 0 && !algebra.is_frozen(term.dimension);
          for (const bool outer : part) {
            for (std::int64_t i = 0; i < term.size; ++i) next.push_back(outer && !(prunable && (i + term.dimension) % term.size == 0));
          }
          part = std::move(next);
        }
        kept.insert(kept.end(), part.begin(), part.end());
      }
      return kept;
    };
    EXPECT_EQ(pattern(a), pattern(b)) << seed;
    EXPECT_EQ(pattern(b), pattern(c)) << seed;
    EXPECT_EQ(pattern(a).size(), 24U);
  }
}

}  // namespace
}  // namespace lathe::policies
