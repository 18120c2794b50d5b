#include "hwmodels/stage_options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/base/rng.h"
#include "sample_workloads.h"

namespace lathe::hwmodels {
namespace {

const policies::DeviceCapabilities kIntegers{
    .channel_granularity = 1, .weight_bits = {2, 3, 4, 5, 6, 7, 8}, .activation_bits = {2, 3, 4, 5, 6, 7, 8}};

const DataflowParameters& parameters() {
  static const DataflowParameters loaded(load_device("finn-zcu104"));
  return loaded;
}

StageOptions random_options(Rng& rng) {
  return stage_options(dataflow_stage(conv_op({.in = 1 + rng.below(64),
                                               .out = 1 + rng.below(64),
                                               .size = 4 + rng.below(29),
                                               .kernel = rng.below(2) == 0 ? 1 : 3,
                                               .weight_bits = 2 + static_cast<int>(rng.below(7)),
                                               .activation_bits = 2 + static_cast<int>(rng.below(7))}),
                                      kIntegers),
                       parameters());
}

double cost_of(const ResourceVector& resources, const ResourceVector& prices) {
  double cost = 0;
  for (std::size_t r = 0; r < kFoldingResources; ++r) cost += prices[r] * resources[r] / parameters().chip[r];
  return cost;
}

TEST(StageOptions, LinesHoldTheCyclesAndOptionsOfTheirLevels) {
  Rng rng(1, "lines");
  for (int trial = 0; trial < 20; ++trial) {
    const StageOptions stage = random_options(rng);
    const StageView view = stage.view();
    ASSERT_EQ(view.levels, stage.level_cycles.size());
    for (std::uint32_t level = 0; level < view.levels; ++level) {
      EXPECT_EQ(view.lines[level / FrontLine::kLevels].words[level % FrontLine::kLevels], log_cycles(stage.level_cycles[level]));
      EXPECT_EQ(view.cycles(level), stage.level_cycles[level]);
      const FrontLine& front = *view.front(level);
      for (std::size_t j = 0; j < FrontLine::kOptions; ++j) {
        const std::uint16_t word = front.words[FrontLine::kOptionIndex + j];
        const FoldingOption& option = stage.options[word & ~FrontLine::kIsSlowest];
        EXPECT_LE(option.cycles, stage.level_cycles[level]);
        EXPECT_EQ((word & FrontLine::kIsSlowest) != 0, option.cycles == stage.level_cycles[level]);
        for (std::size_t r = 0; r < kFoldingResources; ++r)
          EXPECT_EQ(front.words[r * FrontLine::kOptions + j], std::ceil(option.resources[r] / FrontLine::kUnits[r]));
      }
    }
  }
}

TEST(StageOptions, EightOptionsStandForAllAtAnyPrices) {
  Rng rng(2, "prices");
  double worst = 1, sum = 0;
  int count = 0;
  for (int trial = 0; trial < 50; ++trial) {
    const StageOptions stage = random_options(rng);
    for (std::uint32_t level = 0; level < stage.level_cycles.size(); ++level) {
      // Prices of one resource up to a hundred times those of another.
      const ResourceVector prices{std::pow(10, rng.uniform(-1, 1)), std::pow(10, rng.uniform(-1, 1)), std::pow(10, rng.uniform(-1, 1))};
      double cheapest = std::numeric_limits<double>::infinity(), kept = cheapest;
      for (const FoldingOption& option : stage.options) {
        if (option.cycles <= stage.level_cycles[level]) cheapest = std::min(cheapest, cost_of(option.resources, prices));
      }
      for (std::size_t j = 0; j < FrontLine::kOptions; ++j) {
        const std::uint16_t word = stage.view().front(level)->words[FrontLine::kOptionIndex + j];
        kept = std::min(kept, cost_of(stage.options[word & ~FrontLine::kIsSlowest].resources, prices));
      }
      worst = std::max(worst, kept / cheapest);
      sum += kept / cheapest - 1;
      ++count;
    }
  }
  // Measured on these 50 stages: 1.17 at worst, 0.023 % more on average.
  EXPECT_LT(worst, 1.25);
  EXPECT_LT(sum / count, 0.0005);
}

}  // namespace
}  // namespace lathe::hwmodels
