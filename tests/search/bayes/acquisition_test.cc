#include "search/bayes/acquisition.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/base/rng.h"

namespace lathe::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Reference values: mpmath with 60 digits, log(phi(z) + z Phi(z)).
TEST(LogExpectedImprovement, IsAccurateInTheFarTail) {
  const std::pair<double, double> kCases[] = {{-100, -5010.1295788002498},   {-30, -457.724653760598},      {-5, -16.74430116266099},
                                              {-4.001, -11.853494519785876}, {-3.999, -11.844629552292603}, {0, -0.91893853320467274},
                                              {3, 1.0987396653277078}};
  for (const auto& [z, expected] : kCases) EXPECT_NEAR(log_expected_improvement(z, 0, 1), expected, 1e-13 * std::abs(expected)) << z;
  // Scale: E[max(0, level - f)] is homogeneous.
  EXPECT_NEAR(log_expected_improvement(-0.1, 0.1, 0.04), std::log(0.04) - 16.74430116266099, 1e-12);
  EXPECT_DOUBLE_EQ(log_expected_improvement(3, 1, 0), std::log(2.0));
  EXPECT_EQ(log_expected_improvement(1, 3, 0), -kInfinity);
}

// E = int [HV(front + (x, f)) - HV(front)] N(f) df by the trapezoidal rule over +-8 deviations; `measured` at coordinate m.
double integrated(const std::vector<Point>& front, const Point& reference, std::size_t m, Point x, double mean, double stddev) {
  constexpr int kSteps = 4000;
  const double base = hypervolume(front, reference);
  double sum = 0;
  for (int i = 0; i <= kSteps; ++i) {
    const double z = -8 + 16.0 * i / kSteps;
    x[m] = mean + stddev * z;
    std::vector<Point> with = front;
    with.push_back(x);
    sum += (hypervolume(with, reference) - base) * std::exp(-0.5 * z * z) / std::sqrt(2 * std::acos(-1.0)) * 16.0 / kSteps;
  }
  return sum;
}

TEST(HypervolumeImprovement, EqualsNumericalIntegration) {
  for (std::size_t dimensions = 1; dimensions <= 4; ++dimensions) {
    for (int repeat = 0; repeat < 8; ++repeat) {
      SCOPED_TRACE(testing::Message() << dimensions << " objectives, repeat " << repeat);
      Rng rng(repeat, "ehvi", dimensions);
      std::vector<Point> front;
      for (int i = 0; i < 6; ++i) {
        Point p;
        for (std::size_t k = 0; k < dimensions; ++k) p.push_back(rng.uniform() * 1.1);
        front.push_back(p);
      }
      const Point reference(dimensions, 1.0);
      const std::size_t measured = static_cast<std::size_t>(repeat) % dimensions;
      Point x;
      for (std::size_t k = 0; k < dimensions; ++k) x.push_back(rng.uniform() * 0.9);
      const double mean = rng.uniform(), stddev = 0.05 + 0.3 * rng.uniform();
      const double expected = integrated(front, reference, measured, x, mean, stddev);
      const HypervolumeImprovement improvement(front, reference, static_cast<int>(measured), kInfinity);
      // The integrand is piecewise linear times a Gaussian: the rule's error is below 1e-5 of the largest gain, which is at most 2.
      EXPECT_NEAR(std::exp(improvement.log_expected(x, mean, stddev)), expected, 2e-5);
    }
  }
}

TEST(HypervolumeImprovement, WithoutUncertaintyIsTheGainItself) {
  const std::vector<Point> front{{0.2, 0.8}, {0.6, 0.3}};
  const HypervolumeImprovement improvement(front, {1, 1}, 0, kInfinity);
  std::vector<Point> with = front;
  with.push_back({0.4, 0.5});
  const double gain = hypervolume(with, {1, 1}) - hypervolume(front, {1, 1});
  EXPECT_NEAR(std::exp(improvement.log_expected({0, 0.5}, 0.4, 0)), gain, 1e-12);
  const HypervolumeImprovement nothing_measured(front, {1, 1}, -1, kInfinity);
  EXPECT_NEAR(std::exp(nothing_measured.log_expected({0.4, 0.5}, 0, 0)), gain, 1e-12);
  EXPECT_EQ(nothing_measured.log_expected({0.7, 0.9}, 0, 0), -kInfinity);
}

TEST(HypervolumeImprovement, IsNothingBeyondTheReferenceAndPositiveInTheTail) {
  const HypervolumeImprovement improvement({{0.2, 0.8}}, {1, 1}, 0, kInfinity);
  EXPECT_EQ(improvement.log_expected({0, 1.0}, 0.5, 0.1), -kInfinity);
  EXPECT_TRUE(std::isfinite(improvement.log_expected({0, 0.9}, 9.0, 0.1)));
}

// A limit on the measured metric moves the reference: only what is below both counts.
TEST(HypervolumeImprovement, CountsNothingBeyondTheMeasuredLimit) {
  const HypervolumeImprovement limited({}, {1, 1}, 0, 0.5);
  EXPECT_EQ(limited.log_expected({0, 0.5}, 0.6, 0), -kInfinity);
  EXPECT_NEAR(std::exp(limited.log_expected({0, 0.5}, 0.3, 0)), 0.2 * 0.5, 1e-12);
}

}  // namespace
}  // namespace lathe::search
