#include "policies/weight_formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/base/rng.h"

namespace lathe::policies {
namespace {

using models::Tensor;
using ::testing::ElementsAre;

std::vector<float> rounded(const std::vector<float>& values, const std::string& format, int bits) {
  const Tensor tensor = Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
  const Tensor result = round_to_format(tensor, format, bits);
  const auto view = result.values<float>();
  return {view.begin(), view.end()};
}

// Reference: numpy's float16, but that 70000 becomes the largest finite value instead of infinity.
TEST(WeightFormats, HalfMatchesNumpy) {
  const auto half = rounded({1.0F / 3, -2.00048828125F, 70000, 1e-7F, -3e-8F, 65519.9F, 0.1F, 1.00146484375F}, "float", 16);
  EXPECT_THAT(half, ElementsAre(0.333251953125F, -2.0F, 65504.0F, 1.1920928955078125e-07F, -5.960464477539063e-08F, 65504.0F,
                                0.0999755859375F, 1.001953125F));
  std::vector<std::uint16_t> bits;
  for (const float value : half) bits.push_back(to_half_bits(value));
  EXPECT_THAT(bits, ElementsAre(0x3555, 0xC000, 0x7BFF, 0x2, 0x8001, 0x7BFF, 0x2E66, 0x3C02));
  EXPECT_TRUE(is_representable_as_half(half));
  EXPECT_FALSE(is_representable_as_half(std::vector<float>{0.1F}));
}

// 1/3 = 0x3EAAAAAB and 0.1 = 0x3DCCCCCD round up in bfloat16, to 0x3EAB and 0x3DCD; tf32 keeps ten bits after the point.
TEST(WeightFormats, BfloatAndTf32) {
  const auto bfloat = rounded({1.0F / 3, 0.1F, -3.0F}, "bfloat", 16);
  EXPECT_THAT(bfloat, ElementsAre(0.333984375F, 0.10009765625F, -3.0F));
  EXPECT_EQ(to_bfloat_bits(bfloat[0]), 0x3EAB);
  EXPECT_TRUE(is_representable_as_bfloat(bfloat));
  EXPECT_FALSE(is_representable_as_bfloat(std::vector<float>{0.1F}));
  EXPECT_THAT(rounded({1 + 0x1p-10F, 1 + 0x1.8p-10F, 1 + 0x1p-11F}, "tf32", 32), ElementsAre(1 + 0x1p-10F, 1 + 0x1p-9F, 1.0F));
}

// By the table of E4M3: three bits after the point, smallest normal number 2^-6, steps of 2^-9 below it.
TEST(WeightFormats, Float8HasThreeBitsAfterThePoint) {
  EXPECT_THAT(rounded({448, -100, 3.3F, 0.3F, 0.02F, 0.001F}, "float", 8),
              ElementsAre(448, -96, 3.25F, 0.3125F, 0.01953125F, 0.001953125F));
  EXPECT_THAT(rounded({0, 0}, "float", 8), ElementsAre(0, 0));
}

// Largest 0.9: exponents 0, -1, -2 at 3 bits; below half of the smallest it is 0; the middle between two powers goes up.
TEST(WeightFormats, PowersOfTwo) {
  EXPECT_THAT(rounded({0.9F, 0.3F, 0.4F, 0.1F, 0.13F, -0.74F, -0.75F, 0}, "pow2", 3), ElementsAre(1, 0.25F, 0.5F, 0, 0.25F, -0.5F, -1, 0));
}

TEST(WeightFormats, RoundingTwiceIsRoundingOnce) {
  Rng rng(17, "formats");
  std::vector<float> values(500);
  for (float& value : values) value = static_cast<float>(rng.normal() * std::exp(4 * rng.normal()));
  for (const auto& [format, bits] :
       std::vector<std::pair<std::string, int>>{{"float", 16}, {"bfloat", 16}, {"tf32", 32}, {"pow2", 4}, {"pow2", 8}}) {
    const auto once = rounded(values, format, bits);
    EXPECT_EQ(rounded(once, format, bits), once) << format << bits;
    EXPECT_NE(once, values) << format << bits;
  }
}

}  // namespace
}  // namespace lathe::policies
