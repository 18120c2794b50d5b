#include "search/bayes/acquisition.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/base/rng.h"
#include "search/pareto.h"

namespace lathe::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Reference values: mpmath with 60 digits, log(phi(z) + z Phi(z)).
TEST(LogExpectedImprovement, IsAccurateInTheFarTail) {
  const std::pair<double, double> kCases[] = {{-100, -5010.1295788002498},   {-30, -457.724653760598},      {-5, -16.74430116266099},
                                              {-4.001, -11.853494519785876}, {-3.999, -11.844629552292603}, {0, -0.91893853320467274},
                                              {3, 1.0987396653277078}};
  for (const auto& [z, expected] : kCases) EXPECT_NEAR(log_expected_improvement(z, {0, 1}), expected, 1e-13 * std::abs(expected)) << z;
  // Scale: E[max(0, level - f)] is homogeneous.
  EXPECT_NEAR(log_expected_improvement(-0.1, {0.1, 0.04}), std::log(0.04) - 16.74430116266099, 1e-12);
  EXPECT_DOUBLE_EQ(log_expected_improvement(3, {1, 0}), std::log(2.0));
  EXPECT_EQ(log_expected_improvement(1, {3, 0}), -kInfinity);
}

// Reference values: mpmath with 60 digits, log(erfc(-z / sqrt(2)) / 2).
TEST(LogProbabilityBelow, IsAccurateInTheFarTail) {
  const std::pair<double, double> kCases[] = {{-100, -5005.52420869420509},
                                              {-4.001, -10.3643275703383368},
                                              {-3.999, -10.3558763560434057},
                                              {0, -0.69314718055994531},
                                              {3, -0.0013508099647481938}};
  for (const auto& [z, expected] : kCases) EXPECT_NEAR(log_probability_below(z, {0, 1}), expected, 1e-13 * (1 + std::abs(expected))) << z;
  EXPECT_EQ(log_probability_below(1, {1, 0}), 0);
  EXPECT_EQ(log_probability_below(1, {1.1, 0}), -kInfinity);
}

std::vector<Point> random_front(Rng& rng, int count, std::size_t dimensions) {
  std::vector<Point> front;
  for (int i = 0; i < count; ++i) {
    Point p;
    for (std::size_t k = 0; k < dimensions; ++k) p.push_back(rng.uniform() * 1.1);
    front.push_back(std::move(p));
  }
  return front;
}

// Law: the boxes are disjoint and fill what the front leaves free, so with a floor under them their volumes and the hypervolume add up.
TEST(NonDominatedBoxes, FillWhatTheFrontLeavesFree) {
  for (std::size_t dimensions = 1; dimensions <= 5; ++dimensions) {
    Rng rng(dimensions, "boxes");
    std::vector<Point> front;
    for (const Point& p : random_front(rng, 12, dimensions)) {
      if (*std::max_element(p.begin(), p.end()) < 1) front.push_back(p);
    }
    const std::vector<Box> boxes = non_dominated_boxes(front, Point(dimensions, 1));
    double free = 0;
    for (const Box& box : boxes) {
      double volume = 1;
      for (std::size_t k = 0; k < dimensions; ++k) volume *= box.high[k] - std::max(box.low[k], 0.0);
      free += volume;
    }
    EXPECT_NEAR(free, 1 - hypervolume(front, Point(dimensions, 1)), 1e-12) << dimensions;
    for (int draw = 0; draw < 200; ++draw) {
      const Point p = random_front(rng, 1, dimensions)[0];
      const auto holds = [&](const Box& box) {
        bool is_inside = true;
        for (std::size_t k = 0; k < dimensions; ++k) is_inside &= p[k] > box.low[k] && p[k] < box.high[k];
        return is_inside;
      };
      const bool is_free = *std::max_element(p.begin(), p.end()) < 1 &&
                           std::none_of(front.begin(), front.end(), [&](const Point& q) { return dominates(q, p); });
      EXPECT_EQ(std::count_if(boxes.begin(), boxes.end(), holds), is_free ? 1 : 0);
    }
  }
}

TEST(NonDominatedBoxes, AreOneMoreThanThePointsInThePlane) {
  EXPECT_EQ(non_dominated_boxes({{1, 3}, {2, 2}, {3, 1}}, {4, 4}).size(), 4U);
}

// E = int [HV(front + (x, f)) - HV(front)] N(f) df by the trapezoidal rule over +-8 deviations; all but coordinate m exact.
double integrated(const std::vector<Point>& front, const Point& reference, std::size_t m, Point x, const Belief& f) {
  constexpr int kSteps = 4000;
  double sum = 0;
  for (int i = 0; i <= kSteps; ++i) {
    const double z = -8 + 16.0 * i / kSteps;
    x[m] = f.mean + f.stddev * z;
    sum += hypervolume_gain(front, x, reference) * std::exp(-0.5 * z * z) / std::sqrt(2 * std::acos(-1.0)) * 16.0 / kSteps;
  }
  return sum;
}

TEST(HypervolumeImprovement, EqualsNumericalIntegrationWithOneUncertainMetric) {
  for (std::size_t dimensions = 1; dimensions <= 4; ++dimensions) {
    for (int repeat = 0; repeat < 8; ++repeat) {
      SCOPED_TRACE(testing::Message() << dimensions << " objectives, repeat " << repeat);
      Rng rng(repeat, "ehvi", dimensions);
      const std::vector<Point> front = random_front(rng, 6, dimensions);
      const Point reference(dimensions, 1.0);
      const std::size_t measured = static_cast<std::size_t>(repeat) % dimensions;
      std::vector<Belief> beliefs;
      Point x;
      for (std::size_t k = 0; k < dimensions; ++k) {
        x.push_back(rng.uniform() * 0.9);
        beliefs.push_back({x.back(), 0});
      }
      beliefs[measured] = {rng.uniform(), 0.05 + 0.3 * rng.uniform()};
      // The integrand is piecewise linear times a Gaussian: the rule's error is below 1e-5 of the largest gain, which is at most 2.
      EXPECT_NEAR(std::exp(HypervolumeImprovement(front, reference).log_expected(beliefs)),
                  integrated(front, reference, measured, x, beliefs[measured]), 2e-5);
    }
  }
}

// All coordinates uncertain: the mean gain over a regular grid of quantiles in two dimensions.
TEST(HypervolumeImprovement, EqualsTheMeanGainWithTwoUncertainMetrics) {
  Rng rng(3, "ehvi_two");
  const std::vector<Point> front = random_front(rng, 6, 2);
  const std::vector<Belief> beliefs{{0.4, 0.3}, {0.5, 0.2}};
  double sum = 0, weights = 0;
  constexpr int kSteps = 400;
  for (int i = 0; i <= kSteps; ++i) {
    for (int j = 0; j <= kSteps; ++j) {
      const double a = -7 + 14.0 * i / kSteps, b = -7 + 14.0 * j / kSteps, weight = std::exp(-0.5 * (a * a + b * b));
      sum += weight * hypervolume_gain(front, {0.4 + 0.3 * a, 0.5 + 0.2 * b}, {1, 1});
      weights += weight;
    }
  }
  // Kinks of the gain against a step of 0.035 deviations: about the square of it.
  EXPECT_NEAR(std::exp(HypervolumeImprovement(front, {1, 1}).log_expected(beliefs)), sum / weights, 2e-4 * sum / weights);
}

TEST(HypervolumeImprovement, WithoutUncertaintyIsTheGainItself) {
  const std::vector<Point> front{{0.2, 0.8}, {0.6, 0.3}};
  const HypervolumeImprovement improvement(front, {1, 1});
  const std::vector<Belief> gains{{0.4, 0}, {0.5, 0}}, covered{{0.7, 0}, {0.9, 0}};
  EXPECT_NEAR(std::exp(improvement.log_expected(gains)), hypervolume_gain(front, {0.4, 0.5}, {1, 1}), 1e-12);
  EXPECT_EQ(improvement.log_expected(covered), -kInfinity);
}

TEST(HypervolumeImprovement, IsNothingBeyondTheReferenceAndPositiveInTheTail) {
  const HypervolumeImprovement improvement({{0.2, 0.8}}, {1, 1});
  const std::vector<Belief> beyond{{0.5, 0.1}, {1.0, 0}}, tail{{9.0, 0.1}, {0.9, 0}};
  EXPECT_EQ(improvement.log_expected(beyond), -kInfinity);
  EXPECT_TRUE(std::isfinite(improvement.log_expected(tail)));
}

}  // namespace
}  // namespace lathe::search
