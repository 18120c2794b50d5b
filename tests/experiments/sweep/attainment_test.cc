#include "experiments/sweep/attainment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "experiments/sweep/attainment_chart.h"
#include "models/base/rng.h"

namespace lathe::experiments {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// By hand: at cost 1 only A reaches 0.5; at 2 B reaches 0.6; at 3 A 0.9 and C 0.7.
const std::vector<std::vector<FrontPoint>> kThree{{{1, 0.5}, {3, 0.9}}, {{2, 0.6}}, {{3, 0.7}}};

TEST(Attainment, BestOfAllIsTheUnionsFront) {
  EXPECT_THAT(attainment_boundary(kThree, 1), ElementsAre(FrontPoint{1, 0.5}, FrontPoint{2, 0.6}, FrontPoint{3, 0.9}));
}

TEST(Attainment, MedianOfThree) {
  EXPECT_THAT(attainment_boundary(kThree, 2), ElementsAre(FrontPoint{2, 0.5}, FrontPoint{3, 0.7}));
}

TEST(Attainment, WhatAllAttain) {
  EXPECT_THAT(attainment_boundary(kThree, 3), ElementsAre(FrontPoint{3, 0.6}));
}

TEST(Attainment, NothingWhereARunIsEmptyOrAsksTooMany) {
  EXPECT_THAT(attainment_boundary({{{1, 0.5}}, {}}, 2), IsEmpty());
  EXPECT_THAT(attainment_boundary({{{1, 0.5}}}, 2), IsEmpty());
}

// The definition, asked at points: at least k fronts have a point of cost <= x and value >= v exactly if the boundary at x is >= v.
TEST(Attainment, AgreesWithItsDefinitionOnRandomFronts) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Rng rng(seed, "attainment");
    std::vector<std::vector<FrontPoint>> fronts(7);
    for (auto& front : fronts)
      for (int i = 0; i < 6; ++i) front.push_back({static_cast<double>(rng.below(10)), static_cast<double>(rng.below(10))});
    for (int k = 1; k <= 7; ++k) {
      const std::vector<FrontPoint> boundary = attainment_boundary(fronts, k);
      for (double x = 0; x < 10; ++x) {
        double reached = -1;
        for (const FrontPoint& step : boundary)
          if (step.cost <= x) reached = step.value;
        for (double v = 0; v < 10; ++v) {
          const auto attains = [&](const auto& front) {
            return std::any_of(front.begin(), front.end(), [&](const FrontPoint& p) { return p.cost <= x && p.value >= v; });
          };
          EXPECT_EQ(std::count_if(fronts.begin(), fronts.end(), attains) >= k, reached >= v) << seed << ' ' << k << ' ' << x << ' ' << v;
        }
      }
    }
  }
}

TEST(Attainment, SharesOfRunsRoundUp) {
  EXPECT_EQ(runs_of_share(10, 0.25), 3);
  EXPECT_EQ(runs_of_share(10, 0.5), 5);
  EXPECT_EQ(runs_of_share(4, 0.75), 3);
  EXPECT_EQ(runs_of_share(1, 0.25), 1);
}

TEST(AttainmentChart, DrawsEveryBandAndEscapesNames) {
  const std::string svg = attainment_svg("a < b", "latency_ms", {attainment_band("[bayes]", kThree), attainment_band("x&y", kThree)});
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  EXPECT_THAT(svg, HasSubstr("x&amp;y"));
  EXPECT_THAT(svg, HasSubstr("latency_ms"));
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  std::size_t paths = 0;
  for (std::size_t at = svg.find("<path"); at != std::string::npos; at = svg.find("<path", at + 1)) ++paths;
  EXPECT_EQ(paths, 5u);  // axes, and band and line of each
}

TEST(AttainmentChart, EmptyFrontsMakeAnEmptyChart) {
  EXPECT_EQ(attainment_svg("none", "latency_ms", {attainment_band("a", {{}, {}})}).find("nan"), std::string::npos);
}

}  // namespace
}  // namespace lathe::experiments
