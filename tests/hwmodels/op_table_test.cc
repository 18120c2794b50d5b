#include "hwmodels/op_table.h"

#include <gtest/gtest.h>

#include "models/base/rng.h"

namespace lathe::hwmodels {
namespace {

// Four decisions of 2, 3, 4 and 3 choices.
policies::SearchSpace small_space() {
  policies::SearchSpace space;
  for (const int choices : {2, 3, 4, 3}) {
    policies::Decision decision{.kind = policies::DecisionKind::kKeptChannels, .subject = 0, .name = "", .values = {}};
    for (int value = 0; value < choices; ++value) decision.values.push_back(value);
    space.decisions.push_back(decision);
  }
  return space;
}

// Random costs over digits.
OpTable random_table(const CandidateDigits& digits, const std::vector<int>& slots, Rng& rng) {
  OpTable table;
  for (const int slot : slots) {
    table.index.axes.push_back({static_cast<std::uint32_t>(slot), static_cast<std::uint32_t>(table.index.entries)});
    table.index.entries *= static_cast<std::size_t>(digits.extent(slot));
  }
  for (std::size_t entry = 0; entry < table.index.entries; ++entry) {
    table.costs.push_back({rng.uniform(1, 2), rng.uniform(3, 4)});
    table.weight_bytes.push_back(rng.below(100));
  }
  return table;
}

struct Sum {
  double latency_ms = 0, energy_mj = 0;
  std::int64_t weight_bytes = 0;
};
Sum sum_at(const CandidateDigits& digits, const std::vector<OpTable>& tables, const std::vector<std::uint32_t>& choices) {
  Sum sum;
  for (const OpTable& table : tables) {
    std::size_t entry = 0;
    for (const ChoiceTable::Axis& axis : table.index.axes) entry += axis.stride * digits.value_at(static_cast<int>(axis.slot), choices);
    sum.latency_ms += table.costs[entry].latency_ms;
    sum.energy_mj += table.costs[entry].energy_mj;
    sum.weight_bytes += table.weight_bytes[entry];
  }
  return sum;
}

TEST(OpTable, MergedTablesHaveTheSameSums) {
  const policies::SearchSpace space = small_space();
  CandidateDigits digits(space);
  // The larger of decisions 0 and 1, and whether decision 1 is 2: both follow from one digit of 4 values.
  const int larger = digits.derive({0, 1}, {0, 1, 1, 1, 2, 2}), is_two = digits.derive({1}, {0, 0, 1});
  Rng rng(1, "merge");
  const std::vector<OpTable> before{random_table(digits, {larger, 2, 3}, rng), random_table(digits, {2, 3}, rng),
                                    random_table(digits, {is_two, 3}, rng)};
  std::vector<OpTable> merged = before;
  merge_tables(digits, merged);
  ASSERT_EQ(merged.size(), 1u);
  for (std::uint32_t i = 0; i < 2 * 3 * 4 * 3; ++i) {
    const std::vector<std::uint32_t> choices{i % 2, i / 2 % 3, i / 6 % 4, i / 24};
    const Sum one = sum_at(digits, merged, choices), three = sum_at(digits, before, choices);
    EXPECT_NEAR(one.latency_ms, three.latency_ms, 1e-12);
    EXPECT_NEAR(one.energy_mj, three.energy_mj, 1e-12);
    EXPECT_EQ(one.weight_bytes, three.weight_bytes);
  }
}

TEST(OpTable, DigitsOfManyDecisionsMerge) {
  // 3^8 combinations: too many to go through, so that nothing is known of the digit but that it equals itself.
  policies::SearchSpace space;
  for (int d = 0; d < 8; ++d) space.decisions.push_back({policies::DecisionKind::kKeptChannels, 0, "", {0, 1, 2}});
  CandidateDigits digits(space);
  std::vector<std::uint32_t> class_of(6561);
  for (std::uint32_t i = 0; i < class_of.size(); ++i) class_of[i] = i % 2;
  const int parity = digits.derive({0, 1, 2, 3, 4, 5, 6, 7}, class_of);
  Rng rng(4, "many");
  const std::vector<OpTable> before{random_table(digits, {parity, 0}, rng), random_table(digits, {parity}, rng)};
  std::vector<OpTable> merged = before;
  merge_tables(digits, merged);
  ASSERT_EQ(merged.size(), 1u);
  for (const std::vector<std::uint32_t>& choices : {std::vector<std::uint32_t>{1, 0, 0, 0, 0, 0, 0, 0}, {2, 1, 0, 2, 0, 0, 1, 0}})
    EXPECT_NEAR(sum_at(digits, merged, choices).latency_ms, sum_at(digits, before, choices).latency_ms, 1e-12);
}

TEST(OpTable, TablesOfDifferentDecisionsStayApart) {
  const policies::SearchSpace space = small_space();
  CandidateDigits digits(space);
  Rng rng(2, "apart");
  // Together they would have 6 times 12 entries.
  std::vector<OpTable> tables{random_table(digits, {0, 1}, rng), random_table(digits, {2, 3}, rng)};
  merge_tables(digits, tables);
  EXPECT_EQ(tables.size(), 2u);
}

TEST(OpTable, AxesWithoutEffectAreDropped) {
  const policies::SearchSpace space = small_space();
  const CandidateDigits digits(space);
  Rng rng(3, "idle");
  const OpTable small = random_table(digits, {0, 2}, rng);
  OpTable table = random_table(digits, {0, 1, 2, 3}, rng);
  for (std::size_t entry = 0; entry < table.index.entries; ++entry) {
    const std::size_t same = entry % 2 + 2 * (entry / 6 % 4);
    table.costs[entry] = small.costs[same];
    table.weight_bytes[entry] = small.weight_bytes[same];
  }
  table.drop_idle_axes();
  EXPECT_EQ(table.index.axes, small.index.axes);
  EXPECT_EQ(table.costs, small.costs);
  EXPECT_EQ(table.weight_bytes, small.weight_bytes);
}

TEST(CandidateDigits, KnowWhichDigitsFollowFromOthers) {
  const policies::SearchSpace space = small_space();
  CandidateDigits digits(space);
  const int larger = digits.derive({0, 1}, {0, 1, 1, 1, 2, 2}), is_two = digits.derive({1}, {0, 0, 1});
  EXPECT_EQ(digits.values_given(is_two, 1), (std::vector<std::uint32_t>{0, 0, 1}));
  EXPECT_EQ(digits.values_given(is_two, larger), (std::vector<std::uint32_t>{0, 0, 1}));
  EXPECT_FALSE(digits.values_given(1, is_two).has_value());
  EXPECT_FALSE(digits.values_given(larger, is_two).has_value());
  EXPECT_FALSE(digits.values_given(2, larger).has_value());
  // Pairs of (larger, decision 0): (0, 0), (1, 1), (1, 0), (2, 0), (2, 1).
  const std::optional<int> both = digits.join(larger, 0);
  ASSERT_TRUE(both.has_value());
  EXPECT_EQ(digits.extent(*both), 5);
  EXPECT_TRUE(digits.values_given(larger, *both).has_value());
  EXPECT_TRUE(digits.values_given(0, *both).has_value());
  EXPECT_FALSE(digits.join(2, larger).has_value()) << "they share no decision";
}

}  // namespace
}  // namespace lathe::hwmodels
