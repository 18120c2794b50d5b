#include "search/certificates.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/base/rng.h"

namespace lathe::search {
namespace {

using policies::AdditiveCost;
using policies::Candidate;
using policies::CostTerm;

// A chain of layers as a search has them: a layer's latency depends on its channels, those of the layer before, and its bits; the widest
// choice costs most and loses nothing.
struct SmallNetwork {
  std::vector<std::vector<double>> drops;
  AdditiveCost latency;
};

SmallNetwork small_network(std::uint64_t seed, int layers) {
  Rng rng(seed, "certificates");
  SmallNetwork network;
  network.latency.constant = 0.3;
  for (int layer = 0; layer < layers; ++layer) {
    const int width = 2 * layer, bits = width + 1;
    const double widths = rng.uniform(0.01, 0.2), bit_loss = rng.uniform(0.01, 0.1);
    network.drops.push_back({4 * widths, widths, 0});
    network.drops.push_back({3 * bit_loss, 0});
    std::vector<int> decisions{width, bits};
    if (layer > 0) decisions.insert(decisions.begin(), width - 2);
    CostTerm term{.decisions = decisions, .values = {}};
    const double scale = rng.uniform(0.2, 2);
    for (int bit = 0; bit < 2; ++bit) {
      for (int out = 0; out < 3; ++out) {
        for (int in = 0; in < (layer > 0 ? 3 : 1); ++in)
          term.values.push_back(scale * (1 + out) * (1 + in) * (1 + bit) * rng.uniform(0.8, 1.2));
      }
    }
    network.latency.terms.push_back(term);
  }
  return network;
}

struct Point {
  double latency, loss;
};

std::vector<Point> all_points(const SmallNetwork& network) {
  std::vector<Point> points;
  const Certificates certificates(network.drops, network.latency);
  Candidate candidate{std::vector<int>(network.drops.size(), 0)};
  for (;;) {
    Point point{network.latency.constant, certificates.loss(candidate)};
    for (const CostTerm& term : network.latency.terms) {
      std::size_t entry = 0, stride = 1;
      for (const int decision : term.decisions) {
        entry += stride * static_cast<std::size_t>(candidate.choices[static_cast<std::size_t>(decision)]);
        stride *= network.drops[static_cast<std::size_t>(decision)].size();
      }
      point.latency += term.values[entry];
    }
    points.push_back(point);
    std::size_t d = 0;
    for (; d < candidate.choices.size(); ++d) {
      if (++candidate.choices[d] < static_cast<int>(network.drops[d].size())) break;
      candidate.choices[d] = 0;
    }
    if (d == candidate.choices.size()) return points;
  }
}

double true_least_loss(const std::vector<Point>& points, double latency) {
  double least = std::numeric_limits<double>::infinity();
  for (const Point& point : points) {
    if (point.latency <= latency) least = std::min(least, point.loss);
  }
  return least;
}

// The lower convex hull of all points at a latency, by all pairs: what the best lambda gives.
double hull_at(const std::vector<Point>& points, double latency) {
  double least = true_least_loss(points, latency);
  for (const Point& fast : points) {
    if (fast.latency > latency) continue;
    for (const Point& slow : points) {
      if (slow.latency <= latency || slow.loss >= fast.loss) continue;
      const double share = (latency - fast.latency) / (slow.latency - fast.latency);
      least = std::min(least, fast.loss + share * (slow.loss - fast.loss));
    }
  }
  return least;
}

TEST(Certificates, BoundIsNeverAboveTheOptimumAndIsTheConvexHull) {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    const SmallNetwork network = small_network(seed, 3);
    const std::vector<Point> points = all_points(network);
    ASSERT_EQ(points.size(), 216U);
    const Certificates certificates(network.drops, network.latency);
    EXPECT_TRUE(certificates.is_exact());
    for (std::size_t i = 0; i < points.size(); i += 9) {
      SCOPED_TRACE(::testing::Message() << "seed " << seed << " point " << i);
      const double bound = certificates.least_loss(points[i].latency);
      EXPECT_LE(bound, true_least_loss(points, points[i].latency) + 1e-9);
      // The line search ends within 0.04 % of the best price.
      EXPECT_NEAR(bound, hull_at(points, points[i].latency), 2e-4);
    }
  }
}

TEST(Certificates, ThePolicyThatLosesNothingIsTheBoundWhereThereIsTime) {
  const SmallNetwork network = small_network(7, 4);
  const Certificates certificates(network.drops, network.latency);
  EXPECT_DOUBLE_EQ(certificates.least_loss(1e6), 0);
  EXPECT_GT(certificates.least_loss(1.0), 0);
}

TEST(Certificates, WithoutLossesThereIsNothingToBound) {
  SmallNetwork network = small_network(1, 2);
  for (std::vector<double>& drops : network.drops) std::fill(drops.begin(), drops.end(), 0);
  EXPECT_EQ(Certificates(network.drops, network.latency).least_loss(0.5), 0);
}

TEST(LeastCostBound, EqualsBruteForceAndMiniBucketsStayBelow) {
  // Six variables, every pair in one term, which no small table can hold.
  Rng rng(11, "least cost");
  const std::vector<int> extents{2, 3, 2, 3, 2, 3};
  std::vector<CostTerm> terms;
  for (int a = 0; a < 6; ++a) {
    for (int b = a + 1; b < 6; ++b) {
      CostTerm term{.decisions = {a, b}, .values = {}};
      for (int i = 0; i < extents[static_cast<std::size_t>(a)] * extents[static_cast<std::size_t>(b)]; ++i)
        term.values.push_back(rng.uniform(-1, 1));
      terms.push_back(term);
    }
  }
  double least = std::numeric_limits<double>::infinity();
  for (int combination = 0; combination < 216; ++combination) {
    std::vector<int> choices;
    int rest = combination;
    for (const int extent : extents) choices.push_back(rest % extent), rest /= extent;
    double sum = 0;
    for (const CostTerm& term : terms) {
      const auto a = static_cast<std::size_t>(term.decisions[0]), b = static_cast<std::size_t>(term.decisions[1]);
      sum += term.values[static_cast<std::size_t>(choices[a] + extents[a] * choices[b])];
    }
    least = std::min(least, sum);
  }
  const LeastCostBound exact(extents, terms);
  EXPECT_TRUE(exact.is_exact());
  EXPECT_NEAR(exact.bound(terms), least, 1e-12);
  double sum_of_least = 0;  // a bound that needs no elimination
  for (const CostTerm& term : terms) sum_of_least += *std::min_element(term.values.begin(), term.values.end());
  for (const std::size_t most : {6U, 12U, 36U}) {
    const LeastCostBound mini(extents, terms, most);
    EXPECT_FALSE(mini.is_exact());
    EXPECT_LE(mini.bound(terms), least + 1e-12);
    EXPECT_GE(mini.bound(terms), sum_of_least - 1e-12);
  }
}

}  // namespace
}  // namespace lathe::search
