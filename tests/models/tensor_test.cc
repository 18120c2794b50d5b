#include "models/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "models/network.h"

namespace lathe::models {
namespace {

using testing::ElementsAre;

Tensor halves(const std::vector<std::uint16_t>& bits, DataType type) {
  const auto bytes = std::as_bytes(std::span(bits));
  return Tensor(type, {static_cast<std::int64_t>(bits.size())}, {bytes.begin(), bytes.end()});
}

// Bit patterns from IEEE 754-2019, binary16: 1, -2, largest (65504), smallest subnormal (2^-24), smallest normal (2^-14), infinity.
TEST(Tensor, ConvertsHalfPrecision) {
  EXPECT_THAT(halves({0x3C00, 0xC000, 0x7BFF, 0x0001, 0x0400, 0x7C00}, DataType::kFloat16).to_floats(),
              ElementsAre(1.0f, -2.0f, 65504.0f, 0x1p-24f, 0x1p-14f, std::numeric_limits<float>::infinity()));
  EXPECT_THAT(halves({0x3F80, 0xC040}, DataType::kBFloat16).to_floats(), ElementsAre(1.0f, -3.0f));
}

TEST(Tensor, WidensIntegers) {
  EXPECT_THAT(Tensor::from<std::int8_t>({2}, std::vector<std::int8_t>{-3, 127}).to_int64s(), ElementsAre(-3, 127));
  EXPECT_THAT(Tensor::from<std::uint8_t>({2}, std::vector<std::uint8_t>{0, 255}).to_floats(), ElementsAre(0.0f, 255.0f));
}

TEST(Tensor, SelectsAlongAnyAxisWithRepetition) {
  const Tensor tensor = Tensor::from<float>({2, 3, 2}, std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  const std::vector<std::int64_t> picks{2, 0, 2};
  const Tensor middle = tensor.index_select(1, picks);
  EXPECT_THAT(middle.shape(), ElementsAre(2, 3, 2));
  EXPECT_THAT(middle.to_floats(), ElementsAre(4, 5, 0, 1, 4, 5, 10, 11, 6, 7, 10, 11));
  EXPECT_THAT(tensor.index_select(0, std::vector<std::int64_t>{1}).to_floats(), ElementsAre(6, 7, 8, 9, 10, 11));
  EXPECT_EQ(tensor.index_select(2, std::vector<std::int64_t>{}).size(), 0);
}

TEST(Tensor, EqualityLooksAtTypeShapeAndBytes) {
  const Tensor a = Tensor::from<float>({2}, std::vector<float>{1, 2});
  EXPECT_EQ(a, Tensor::from<float>({2}, std::vector<float>{1, 2}));
  EXPECT_FALSE(a == a.reshaped({1, 2}));
  EXPECT_FALSE(a == Tensor::from<float>({2}, std::vector<float>{1, 3}));
  EXPECT_FALSE(Tensor::from<std::int32_t>({1}, std::vector{0}) == Tensor::from<float>({1}, std::vector{0.0f}));
}

TEST(Tensor, CopiesShareTheirBytes) {
  const Tensor a = Tensor::from<float>({2}, std::vector<float>{1, 2});
  const Tensor b = a.reshaped({2, 1});
  EXPECT_EQ(a.bytes().data(), b.bytes().data());
}

TEST(Shape, PrintsTheBatchAsN) {
  EXPECT_EQ(to_string(Shape{kDynamic, 3, 32}), "[N, 3, 32]");
}

TEST(TensorDeathTest, RefusesTheWrongNumberOfBytes) {
  EXPECT_DEATH(Tensor(DataType::kFloat32, {2}, std::vector<std::byte>(4)), "check failed");
  EXPECT_DEATH(Tensor::scalar(1).values<std::int64_t>(), "tensor holds float32");
}

}  // namespace
}  // namespace lathe::models
