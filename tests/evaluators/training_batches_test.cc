#include "evaluators/training_batches.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace lathe::evaluators {
namespace {

constexpr std::int64_t kRows = 64, kSide = 6;

// Image i: pixels i + 1 .. i + 36 row by row, so that no pixel is zero and each tells where it came from.
Rows counting_images() {
  Rows rows;
  const at::Tensor pixels = at::arange(1, kSide * kSide + 1, at::kLong).view({1, 1, kSide, kSide});
  const at::Tensor offsets = at::arange(kRows, at::kLong).view({kRows, 1, 1, 1});
  rows.inputs = {pixels.add(offsets).to(at::kByte)};
  rows.labels = at::zeros({kRows}, at::kLong);
  return rows;
}

// The batch as bytes: Rows::batch divides by 255.
at::Tensor bytes(const at::Tensor& batch) {
  return batch.mul(255).round().to(at::kLong);
}

std::vector<std::int64_t> all_rows() {
  return epoch_order(kRows, 1, 0);
}

TEST(EpochOrder, IsAPermutationThatChangesWithSeedAndEpoch) {
  auto order = epoch_order(100, 7, 2);
  EXPECT_EQ(order, epoch_order(100, 7, 2));
  EXPECT_NE(order, epoch_order(100, 7, 3));
  EXPECT_NE(order, epoch_order(100, 8, 2));
  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(AugmentedBatch, WithoutOptionsIsThePlainBatch) {
  const Rows rows = counting_images();
  EXPECT_TRUE(at::equal(augmented_batch(rows, {5, 3}, {}, 1, 0)[0], rows.batch({5, 3})[0]));
}

TEST(AugmentedBatch, DependsOnSeedEpochAndRowAlone) {
  const Rows rows = counting_images();
  const AugmentationOptions options{.crop_padding = 2, .horizontal_flip = true, .cutout = 2};
  const at::Tensor batch = augmented_batch(rows, {5, 3, 9}, options, 1, 4)[0];
  EXPECT_TRUE(at::equal(augmented_batch(rows, {3}, options, 1, 4)[0][0], batch[1])) << "must not depend on the rest of the batch";
  EXPECT_FALSE(at::equal(augmented_batch(rows, all_rows(), options, 1, 4)[0], augmented_batch(rows, all_rows(), options, 1, 5)[0]));
  EXPECT_FALSE(at::equal(augmented_batch(rows, all_rows(), options, 1, 4)[0], augmented_batch(rows, all_rows(), options, 2, 4)[0]));
}

TEST(AugmentedBatch, FlipsAboutHalfOfTheImages) {
  const Rows rows = counting_images();
  const at::Tensor plain = bytes(rows.batch(all_rows())[0]),
                   changed = bytes(augmented_batch(rows, all_rows(), {.horizontal_flip = true}, 1, 0)[0]);
  int flipped = 0;
  for (std::int64_t i = 0; i < kRows; ++i) {
    if (at::equal(changed[i], plain[i])) continue;
    EXPECT_TRUE(at::equal(changed[i], at::flip(plain[i], {2})));
    ++flipped;
  }
  // 64 fair coins: outside 16..48 with probability below 1e-4.
  EXPECT_GE(flipped, 16);
  EXPECT_LE(flipped, 48);
}

TEST(AugmentedBatch, ShiftsByAtMostThePaddingAndFillsWithZeros) {
  const Rows rows = counting_images();
  const auto order = all_rows();
  const at::Tensor changed = bytes(augmented_batch(rows, order, {.crop_padding = 2}, 1, 0)[0]);
  std::set<std::pair<std::int64_t, std::int64_t>> shifts;
  for (std::int64_t i = 0; i < kRows; ++i) {
    // Pixel (2, 2) is inside for each legal shift, and its value says where it came from.
    const std::int64_t source = changed[i][0][2][2].item().toLong() - 1 - order[static_cast<std::size_t>(i)];
    const std::int64_t dy = source / kSide - 2, dx = source % kSide - 2;
    ASSERT_LE(std::abs(dy), 2);
    ASSERT_LE(std::abs(dx), 2);
    shifts.insert({dy, dx});
    for (std::int64_t y = 0; y < kSide; ++y) {
      for (std::int64_t x = 0; x < kSide; ++x) {
        const bool is_inside = y + dy >= 0 && y + dy < kSide && x + dx >= 0 && x + dx < kSide;
        const std::int64_t expected = is_inside ? (y + dy) * kSide + x + dx + 1 + order[static_cast<std::size_t>(i)] : 0;
        ASSERT_EQ(changed[i][0][y][x].item().toLong(), expected);
      }
    }
  }
  EXPECT_GT(shifts.size(), 15U) << "of 25 possible shifts";
}

TEST(AugmentedBatch, CutsAHoleOfTheMeanValue) {
  Rows rows;
  rows.inputs = {at::full({8, 2, 9, 9}, 200, at::kByte)};
  rows.labels = at::zeros({8}, at::kLong);
  rows.mean = {0.2F, 0.6F};
  rows.stddev = {1.0F, 1.0F};
  const at::Tensor batch = augmented_batch(rows, {0, 1, 2, 3, 4, 5, 6, 7}, {.cutout = 3}, 1, 0)[0];
  for (std::int64_t i = 0; i < 8; ++i) {
    const std::int64_t first = batch[i][0].abs().lt(1e-6).sum().item().toLong(), second = batch[i][1].abs().lt(1e-6).sum().item().toLong();
    EXPECT_EQ(first, second);
    EXPECT_GE(first, 4) << "a hole at the corner keeps 2x2";
    EXPECT_LE(first, 9);
  }
}

TEST(AugmentedBatch, LeavesTokensAlone) {
  Rows rows;
  rows.inputs = {at::arange(12, at::kLong).view({3, 4}), at::arange(12, at::kLong).view({3, 4})};
  rows.labels = at::zeros({3}, at::kLong);
  EXPECT_TRUE(at::equal(augmented_batch(rows, {2, 0}, {.crop_padding = 1, .horizontal_flip = true}, 1, 0)[1], rows.batch({2, 0})[1]));
}

}  // namespace
}  // namespace lathe::evaluators
