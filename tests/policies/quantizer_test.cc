#include "policies/quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/base/error.h"
#include "models/base/rng.h"

namespace lathe::policies {
namespace {

using models::Tensor;
using ::testing::ElementsAre;
using ::testing::FloatEq;

Tensor random_tensor(models::Shape shape, const std::string& purpose) {
  Rng rng(7, purpose);
  std::vector<float> values(static_cast<std::size_t>(models::element_count(shape)));
  for (float& value : values) value = static_cast<float>(rng.normal());
  return Tensor::from<float>(std::move(shape), values);
}

Tensor dequantize(const Tensor& values, const QuantizationParameters& p, std::int64_t axis) {
  const std::vector<std::int32_t> levels = quantize(values, p, axis);
  std::int64_t inner = 1;
  for (std::int64_t i = axis + 1; axis >= 0 && i < values.rank(); ++i) inner *= values.shape()[static_cast<std::size_t>(i)];
  std::vector<float> result;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const std::size_t c = axis < 0 ? 0 : i / static_cast<std::size_t>(inner) % p.scale.size();
    result.push_back(static_cast<float>(levels[i] - p.zero_point[c]) * p.scale[c]);
  }
  return Tensor::from<float>(values.shape(), result);
}

double squared_difference(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.values<float>().size(); ++i) {
    const double difference = static_cast<double>(a.values<float>()[i]) - b.values<float>()[i];
    total += difference * difference;
  }
  return total;
}

// Reference: numpy, scale = float32(max|w|, axis 1) / float32(qmax), level = clip(rint(w / scale), -qmax, qmax).
TEST(Quantizer, SymmetricPerChannelMatchesNumpy) {
  const Tensor weights = Tensor::from<float>({2, 4}, std::vector<float>{0.5F, -1.27F, 0.3F, 0.01F, 0.02F, -0.1F, 0.07F, 0.05F});
  const auto eight = symmetric_per_channel(weights, 0, 8);
  EXPECT_THAT(eight.scale, ElementsAre(FloatEq(0.01F), FloatEq(0.0007874015718698502F)));
  EXPECT_THAT(quantize(weights, eight, 0), ElementsAre(50, -127, 30, 1, 25, -127, 89, 64));
  const auto four = symmetric_per_channel(weights, 0, 4);
  EXPECT_THAT(quantize(weights, four, 0), ElementsAre(3, -7, 2, 0, 1, -7, 5, 4));
  const auto two = symmetric_per_channel(weights, 0, 2);
  EXPECT_THAT(quantize(weights, two, 0), ElementsAre(0, -1, 0, 0, 0, -1, 1, 0));
  EXPECT_EQ(two.quant_min, -1);
}

// Reference: numpy, scale = float32((high - low) / (2^bits - 1)), zero_point = rint(-low / scale), range widened to hold 0.
TEST(Quantizer, AsymmetricMatchesNumpy) {
  const auto eight = asymmetric({-1, 3}, 8);
  EXPECT_THAT(eight.scale, ElementsAre(FloatEq(0.01568627543747425F)));
  EXPECT_THAT(eight.zero_point, ElementsAre(64));
  const Tensor x = Tensor::from<float>({10}, std::vector<float>{-3, -1, -0.5, -0.005F, 0, 0.7F, 1.5, 2.5, 2.999F, 4});
  EXPECT_THAT(quantize(x, eight, -1), ElementsAre(0, 0, 32, 64, 64, 109, 160, 223, 255, 255));
  EXPECT_THAT(asymmetric({0.5, 6}, 4).scale, ElementsAre(FloatEq(0.4F)));
  EXPECT_THAT(asymmetric({0.5, 6}, 4).zero_point, ElementsAre(0));
  EXPECT_THAT(asymmetric({-2, -1}, 3).scale, ElementsAre(FloatEq(0.2857142984867096F)));
  EXPECT_THAT(asymmetric({-2, -1}, 3).zero_point, ElementsAre(7));
}

TEST(Quantizer, RoundsHalfToEven) {
  const QuantizationParameters unit{.scale = {1}, .zero_point = {0}, .quant_min = -8, .quant_max = 7};
  const Tensor x = Tensor::from<float>({6}, std::vector<float>{0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F});
  EXPECT_THAT(quantize(x, unit, -1), ElementsAre(0, 2, 2, 0, -2, -2));
}

TEST(Quantizer, QuantizingTwiceIsQuantizingOnce) {
  for (const std::int64_t axis : {-1, 0, 1, 2}) {
    for (int bits = 2; bits <= 8; ++bits) {
      const Tensor weights = random_tensor({3, 5, 4}, "twice");
      for (const auto& p : {symmetric_per_channel(weights, axis, bits), symmetric_per_channel_mse(weights, axis, bits)}) {
        const Tensor once = dequantize(weights, p, axis);
        EXPECT_EQ(quantize(once, p, axis), quantize(weights, p, axis)) << "axis " << axis << ", " << bits << " bits";
      }
    }
  }
}

TEST(Quantizer, ErrorWithinTheRangeIsHalfAStepAtMost) {
  Rng rng(5, "ranges");
  for (int round = 0; round < 200; ++round) {
    const Range range{rng.uniform(-3, 1), rng.uniform(1, 4)};
    const int bits = 2 + static_cast<int>(rng.below(7));
    const auto p = asymmetric(range, bits);
    std::vector<float> values{static_cast<float>(range.low), static_cast<float>(range.high), 0.0F};
    for (int i = 0; i < 50; ++i) values.push_back(static_cast<float>(rng.uniform(range.low, range.high)));
    const Tensor x = Tensor::from<float>({static_cast<std::int64_t>(values.size())}, values);
    const Tensor y = dequantize(x, p, -1);
    for (std::size_t i = 0; i < values.size(); ++i) {
      // 1e-5: rounding of the scale to float moves the ends by 255 times its relative error.
      EXPECT_LE(std::abs(values[i] - y.values<float>()[i]), p.scale[0] * (0.5 + 1e-4)) << range.low << " .. " << range.high;
    }
    EXPECT_EQ(y.values<float>()[2], 0.0F) << "zero must be exact";
  }
}

// Reference: numpy, the loop over 80 ranges written out: best at step 2 for 4 bits and at step 0 for 3 bits.
TEST(Quantizer, MseSearchMatchesNumpy) {
  const Tensor w = Tensor::from<float>({1, 8}, std::vector<float>{0.1F, -0.2F, 0.15F, 0.05F, -0.12F, 0.18F, 2.0F, -0.07F});
  EXPECT_THAT(symmetric_per_channel_mse(w, 0, 4).scale, ElementsAre(FloatEq(0.2800000011920929F)));
  EXPECT_THAT(symmetric_per_channel_mse(w, 0, 3).scale, ElementsAre(FloatEq(0.6666666865348816F)));
}

TEST(Quantizer, MseSearchIsNeverWorse) {
  for (int bits = 2; bits <= 8; ++bits) {
    const Tensor w = random_tensor({4, 300}, "mse");
    const double plain = squared_difference(w, dequantize(w, symmetric_per_channel(w, 0, bits), 0));
    const double searched = squared_difference(w, dequantize(w, symmetric_per_channel_mse(w, 0, bits), 0));
    EXPECT_LE(searched, plain);
    if (bits <= 4) {
      EXPECT_LT(searched, 0.9 * plain) << bits << " bits of a normal distribution gain from clipping";
    }
  }
}

TEST(Quantizer, ZerosAndDegenerateRangesAreSafe) {
  const Tensor zeros = Tensor::from<float>({2, 2}, std::vector<float>{0, 0, 0, 1e-45F});
  for (const auto& p : {symmetric_per_channel(zeros, 0, 8), symmetric_per_channel_mse(zeros, 0, 8)}) {
    EXPECT_EQ(p.scale[0], 1.0F);
    EXPECT_GT(p.scale[1], 0.0F);
    EXPECT_THAT(quantize(zeros, p, 0), ElementsAre(0, 0, 0, 0));
  }
  EXPECT_THAT(asymmetric({0, 0}, 8).scale, ElementsAre(1.0F));
  EXPECT_GT(asymmetric({0, 1e-44}, 8).scale[0], 0.0F);
  EXPECT_TRUE(std::isfinite(asymmetric({-1e308, 1e308}, 8).scale[0]));
}

TEST(RangeObserver, ExtremesAreExactWhateverTheOrder) {
  RangeObserver observer;
  for (const float center : {0.1F, -50.0F, 3.0F, 1000.0F}) {
    const std::vector<float> batch{center, center + 0.25F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()};
    observer.observe(batch);
  }
  EXPECT_EQ(observer.range(RangeMethod::kMinMax, 8), (Range{-50, 1000.25}));
  EXPECT_EQ(RangeObserver().range(RangeMethod::kMse, 8), Range());
}

// Quantiles of the same numbers sorted: the observer may be off by a bin, 1/2048 of a range that may have doubled.
TEST(RangeObserver, PercentilesAreThoseOfTheSortedValues) {
  Rng rng(11, "percentile");
  RangeObserver observer;
  std::vector<float> all;
  for (int batch = 0; batch < 20; ++batch) {
    std::vector<float> values;
    for (int i = 0; i < 1000; ++i) values.push_back(static_cast<float>(rng.normal() * (1 + batch * 0.1) + 0.3));
    observer.observe(values);
    all.insert(all.end(), values.begin(), values.end());
  }
  std::sort(all.begin(), all.end());
  const Range range = observer.range(RangeMethod::kPercentile, 8, 0.99);
  const double bin = 2 * (all.back() - all.front()) / 2048;
  EXPECT_NEAR(range.low, all[200], 2 * bin);
  EXPECT_NEAR(range.high, all[19800], 2 * bin);
}

// The clipping bound with least squared error of a normal distribution is 2.55 sigma at 4 bits and 3.92 sigma at 8 (R. Banner et al., Post
// training 4-bit quantization of convolutional networks, NeurIPS 2019, section 3); brute force over the density in numpy: 2.52 and 3.92.
TEST(RangeObserver, LeastSquaresClipsTheTailsOfANormalDistribution) {
  Rng rng(13, "normal");
  RangeObserver observer;
  std::vector<float> values(200000);
  for (float& value : values) value = static_cast<float>(rng.normal());
  observer.observe(values);
  const Range four = observer.range(RangeMethod::kMse, 4), eight = observer.range(RangeMethod::kMse, 8);
  EXPECT_NEAR(four.high, 2.55, 0.2);
  EXPECT_NEAR(four.low, -2.55, 0.2);
  EXPECT_NEAR(eight.high, 3.93, 0.3);
  EXPECT_NEAR(eight.low, -3.93, 0.3);
}

TEST(RangeObserver, LeastSquaresKeepsAOneSidedRangeOneSided) {
  RangeObserver observer;
  std::vector<float> values;
  for (int i = 0; i <= 1000; ++i) values.push_back(static_cast<float>(i) / 1000);
  observer.observe(values);
  const Range range = observer.range(RangeMethod::kMse, 8);
  EXPECT_EQ(range.low, 0.0);
  EXPECT_NEAR(range.high, 1.0, 0.02);
}

// An independent version in numpy (np.histogram over the same numbers, candidates and divergence by the definition), quantiles of a
// Laplace distribution, whole and through ReLU.
TEST(RangeObserver, DivergenceClipsTheTailsOfALaplaceDistribution) {
  constexpr int kCount = 20001;
  std::vector<float> values, rectified;
  for (int i = 0; i < kCount; ++i) {
    const double u = (i + 0.5) / kCount;
    values.push_back(static_cast<float>(u < 0.5 ? std::log(2 * u) : -std::log(2 - 2 * u)));
    rectified.push_back(std::max(values.back(), 0.0F));
  }
  RangeObserver whole, half;
  whole.observe(values);
  half.observe(rectified);
  const auto expect = [](Range range, double low, double high) {
    EXPECT_NEAR(range.low, low, 1e-4);
    EXPECT_NEAR(range.high, high, 1e-4);
  };
  expect(whole.range(RangeMethod::kKl, 4), -4.555627, 4.555627);
  expect(whole.range(RangeMethod::kKl, 6), -6.536335, 8.814149);
  expect(half.range(RangeMethod::kKl, 4), 0, 5.645017);
  expect(half.range(RangeMethod::kKl, 16), 0, 9.903538);  // more levels than bins: nothing to compare
}

TEST(RangeMethod, NamesAreChecked) {
  EXPECT_EQ(parse_range_method("percentile"), RangeMethod::kPercentile);
  try {
    parse_range_method("minmax");
    FAIL() << "accepted";
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(), "expected one of min_max, percentile, mse, kl (did you mean 'min_max'?), got 'minmax'");
  }
}

}  // namespace
}  // namespace lathe::policies
