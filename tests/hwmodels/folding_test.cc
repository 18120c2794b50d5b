#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "hwmodels/folding_solver.h"
#include "hwmodels/hardware_model.h"
#include "hwmodels/stage_options_cache.h"
#include "models/base/rng.h"
#include "sample_workloads.h"

namespace lathe::hwmodels {
namespace {

using policies::Workload;

const policies::DeviceCapabilities kIntegers{
    .channel_granularity = 1, .weight_bits = {2, 3, 4, 5, 6, 7, 8}, .activation_bits = {2, 3, 4, 5, 6, 7, 8}};

const DataflowParameters& parameters() {
  static const DataflowParameters loaded(load_device("finn-zcu104"));
  return loaded;
}

ResourceVector sum(const ResourceVector& a, const ResourceVector& b) {
  return {a[kLut] + b[kLut], a[kBram36] + b[kBram36], a[kDsp] + b[kDsp]};
}

// Every folding there is, written without the solver's tables: all PE, all SIMD that are whole channels or whole taps.
std::vector<FoldingOption> all_foldings(const DataflowStage& stage) {
  std::vector<FoldingOption> all;
  const auto channels = static_cast<int>(std::lround(stage.k / stage.window));
  for (int pe = 1; pe <= static_cast<int>(stage.n); ++pe) {
    for (int simd = 1; simd <= static_cast<int>(stage.k); ++simd) {
      if (simd > channels && (simd % channels != 0 || static_cast<int>(stage.window) % (simd / channels) != 0)) continue;
      for (const bool uses_dsp : {false, true}) {
        for (const bool uses_lut_memory : {false, true}) {
          all.push_back(
              folding_option(stage, {static_cast<double>(pe), static_cast<double>(simd), uses_dsp, uses_lut_memory}, parameters()));
        }
      }
    }
  }
  return all;
}

// The least interval over all combinations of foldings; infinite if none fits.
double brute_force(const std::vector<std::vector<FoldingOption>>& stages, const ResourceVector& limits, std::size_t i,
                   const ResourceVector& used, double slowest, double best) {
  if (i == stages.size()) return std::min(best, slowest);
  for (const FoldingOption& option : stages[i]) {
    const double cycles = std::max(slowest, option.cycles);
    const ResourceVector next = sum(used, option.resources);
    if (cycles >= best || !is_within(next, limits)) continue;
    best = brute_force(stages, limits, i + 1, next, cycles, best);
  }
  return best;
}

TEST(Folding, CyclesAndResourcesFollowTheFormula) {
  const DataflowStage stage = dataflow_stage(conv_op({.in = 16, .out = 32, .size = 8, .weight_bits = 4, .activation_bits = 4}), kIntegers);
  const FoldingOption option = folding_option(stage, {.pe = 5, .simd = 16, .uses_dsp = false, .uses_lut_memory = false}, parameters());
  // 64 pixels, ceil(32 / 5) = 7 rounds of channels, ceil(144 / 16) = 9 rounds of inputs.
  EXPECT_EQ(option.cycles, 64 * 7 * 9);
  // s = 8: multipliers 80 x (2 x 2 - 1) x 8, adders 5 x 31 x 8, accumulators 5 x (8 + ceil(log2 144)), requantization 5 x 40.
  EXPECT_NEAR(option.resources[kLut], 300 + 1.1 * (80 * 24 + 5 * 31 * 8 + 5 * 16 + 5 * 40), 1e-9);
  // Weights: 80 x 4 = 320 bits wide, 63 deep: 9 blocks of 36 x 512. Line buffer: 3 rows of 8 x 16 x 4 bits in
  // one block, but 64 are read at a time: 2 blocks.
  EXPECT_EQ(option.resources[kBram36], (9 + 2) / 2.0);
  EXPECT_EQ(option.resources[kDsp], 0);
  const FoldingOption dsp = folding_option(stage, {.pe = 5, .simd = 16, .uses_dsp = true, .uses_lut_memory = true}, parameters());
  EXPECT_EQ(dsp.resources[kDsp], 40);
  EXPECT_EQ(dsp.resources[kBram36], 1);
  EXPECT_LT(dsp.resources[kLut], option.resources[kLut]);
}

TEST(Folding, OptionsCoverTheBestOfEveryFolding) {
  const DataflowStage stage = dataflow_stage(conv_op({.in = 6, .out = 7, .size = 5, .weight_bits = 3, .activation_bits = 5}), kIntegers);
  const StageOptions options = stage_options(stage, parameters());
  for (const FoldingOption& any : all_foldings(stage)) {
    const bool is_covered = std::any_of(options.options.begin(), options.options.end(), [&](const FoldingOption& option) {
      return option.cycles <= any.cycles && is_within(option.resources, any.resources);
    });
    EXPECT_TRUE(is_covered) << any.folding.pe << " x " << any.folding.simd;
  }
}

TEST(Folding, WithinTwoPercentOfBruteForce) {
  Rng rng(7, "folding test");
  int feasible = 0, constrained = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<DataflowStage> stages;
    std::vector<std::vector<FoldingOption>> all;
    std::vector<StageOptions> options;
    const int count = 2 + static_cast<int>(rng.below(2));
    for (int i = 0; i < count; ++i) {
      const policies::OpWorkload op = conv_op({.in = 1 + rng.below(6),
                                               .out = 1 + rng.below(6),
                                               .size = 4 + rng.below(5),
                                               .kernel = rng.below(2) == 0 ? 1 : 3,
                                               .weight_bits = 2 + static_cast<int>(rng.below(7)),
                                               .activation_bits = 2 + static_cast<int>(rng.below(7))});
      stages.push_back(dataflow_stage(op, kIntegers));
      all.push_back(all_foldings(stages.back()));
      options.push_back(stage_options(stages.back(), parameters()));
    }
    std::vector<StageView> views;
    for (const StageOptions& option : options) views.push_back(option.view());
    const ResourceVector limits{count * rng.uniform(400, 3000), count * rng.uniform(0.6, 8), count * rng.uniform(0.1, 10)};
    const double best = brute_force(all, limits, 0, {}, 0, std::numeric_limits<double>::infinity());
    const FoldingSolution solution = FoldingSolver().solve(views, limits, 0);
    SCOPED_TRACE(::testing::Message() << "trial " << trial);
    ASSERT_EQ(solution.is_feasible, std::isfinite(best));
    if (!solution.is_feasible) continue;
    ++feasible;
    EXPECT_TRUE(is_within(used_resources(views, solution), limits));
    EXPECT_LE(solution.initiation_interval, 1.02 * best);
    EXPECT_GE(solution.initiation_interval, best);
    // The limits bind: without them the interval would be the number of pixels.
    if (best > 81) ++constrained;
  }
  EXPECT_GT(feasible, 100);
  EXPECT_GT(constrained, 50);
}

TEST(Folding, ManyStagesComeNearTheLagrangianBoundOfEqualStages) {
  // 40 equal stages: by symmetry each may take a fortieth of every limit, so the best folding of one stage within that share is a feasible
  // answer, which the solver must reach or beat.
  const DataflowStage stage = dataflow_stage(conv_op({.in = 32, .out = 32, .size = 16, .weight_bits = 4, .activation_bits = 4}), kIntegers);
  const StageOptions options = stage_options(stage, parameters());
  const std::vector<StageView> stages(40, options.view());
  const ResourceVector limits{150000, 300, 1200};
  const ResourceVector share{limits[kLut] / 40, limits[kBram36] / 40, limits[kDsp] / 40};
  double best = std::numeric_limits<double>::infinity();
  for (const FoldingOption& option : all_foldings(stage)) {
    if (is_within(option.resources, share)) best = std::min(best, option.cycles);
  }
  const FoldingSolution solution = FoldingSolver().solve(stages, limits, 0);
  ASSERT_TRUE(solution.is_feasible);
  EXPECT_TRUE(is_within(used_resources(stages, solution), limits));
  EXPECT_LE(solution.initiation_interval, best);
}

// The largest cost over prices of the cheapest options of at most `interval` cycles, in limits: no choice that is as quick uses less than
// this share of every limit (weak duality). Found by ascent, so any value that it returns holds.
double least_share(const std::vector<StageView>& stages, const ResourceVector& limits, double interval) {
  ResourceVector prices{1.0 / 3, 1.0 / 3, 1.0 / 3};
  double best = 0;
  for (int step = 0; step < 100; ++step) {
    ResourceVector used{};
    double cost = 0;
    for (const StageView& stage : stages) {
      double least = std::numeric_limits<double>::infinity();
      const FoldingOption* cheapest = nullptr;
      for (const FoldingOption& option : stage.options->options) {
        if (option.cycles > interval) break;
        double option_cost = 0;
        for (std::size_t r = 0; r < kFoldingResources; ++r) option_cost += prices[r] * option.resources[r] / limits[r];
        if (option_cost >= least) continue;
        least = option_cost;
        cheapest = &option;
      }
      if (cheapest == nullptr) return std::numeric_limits<double>::infinity();
      cost += least;
      for (std::size_t r = 0; r < kFoldingResources; ++r) used[r] += cheapest->resources[r] / limits[r];
    }
    best = std::max(best, cost);
    double total = 0;
    for (std::size_t r = 0; r < kFoldingResources; ++r) total += prices[r] *= std::exp(0.5 / (1 + 0.1 * step) * (used[r] / cost - 1));
    for (double& price : prices) price /= total;
  }
  return best;
}

// The smallest interval that weak duality does not exclude, of those that a stage can have below `found`, at least half of it.
double least_possible_interval(const std::vector<StageView>& stages, const ResourceVector& limits, double found) {
  std::vector<double> intervals{found};
  for (const StageView& stage : stages) {
    for (const double cycles : stage.options->level_cycles) {
      if (cycles < found && cycles > found / 2) intervals.push_back(cycles);
    }
  }
  std::sort(intervals.begin(), intervals.end());
  return *std::partition_point(intervals.begin(), intervals.end() - 1,
                               [&](double interval) { return least_share(stages, limits, interval) > 1; });
}

TEST(Folding, ManyStagesLeaveNothingOfTheChipForAQuickerFolding) {
  Rng rng(11, "many stages");
  StageOptionsCache cache;
  FoldingSolver solver;
  double sum_of_gaps = 0;
  int proven = 0;
  for (int trial = 0; trial < 20; ++trial) {
    SCOPED_TRACE(::testing::Message() << "trial " << trial);
    std::vector<StageView> stages;
    std::int64_t in = 3;
    const int count = 30 + static_cast<int>(rng.below(50));
    for (int i = 0; i < count; ++i) {
      const std::int64_t size = 32 >> (3 * i / count);
      const std::int64_t out = (4 + 2 * rng.below(7)) << (3 * i / count);
      const DataflowStage stage = dataflow_stage(conv_op({.in = in,
                                                          .out = out,
                                                          .size = size,
                                                          .weight_bits = 2 + static_cast<int>(rng.below(7)),
                                                          .activation_bits = 2 + static_cast<int>(rng.below(7))}),
                                                 kIntegers);
      stages.push_back(cache.get(stage, parameters()).view());
      in = out;
    }
    const double scale = rng.uniform(0.7, 3);
    const ResourceVector limits{150000 * scale, 210 * scale, 1200 * scale};
    const FoldingSolution& solution = solver.solve(stages, limits, 0);
    ASSERT_TRUE(solution.is_feasible);
    EXPECT_TRUE(is_within(used_resources(stages, solution), limits));
    // 2 % of the chip: what whole options may leave over.
    EXPECT_GT(least_share(stages, limits, solution.initiation_interval / 1.02), 0.98);
    const double gap = solution.initiation_interval / least_possible_interval(stages, limits, solution.initiation_interval) - 1;
    sum_of_gaps += gap;
    proven += gap <= 0.02 ? 1 : 0;
  }
  // Measured: 1.03 % on average, 16 proven. In the other cases the bound cannot tell whether whole options reach the next interval.
  EXPECT_LT(sum_of_gaps / 20, 0.02);
  EXPECT_GE(proven, 15);
  RecordProperty("mean_gap", std::to_string(sum_of_gaps / 20));
  RecordProperty("proven_within_two_percent", proven);
}

TEST(Folding, ASolverRemembersNothing) {
  const DataflowStage stage = dataflow_stage(conv_op({.in = 16, .out = 24, .size = 16, .weight_bits = 4, .activation_bits = 4}), kIntegers);
  const StageOptions options = stage_options(stage, parameters());
  const ResourceVector limits{60000, 100, 500};
  const std::vector<StageView> many(20, options.view()), few(3, options.view());
  FoldingSolver used;
  used.solve(few, {3000, 5, 10}, 0);
  const FoldingSolution first = used.solve(many, limits, 0), again = used.solve(many, limits, 0),
                        fresh = FoldingSolver().solve(many, limits, 0);
  EXPECT_EQ(first.chosen, fresh.chosen);
  EXPECT_EQ(again.chosen, fresh.chosen);
}

TEST(Dataflow, ResourcesStayWithinTheChipForEveryNetworkThatFits) {
  const DeviceSpec device = load_device("finn-zcu104");
  const auto model = make_hardware_model(device);
  for (const int bits : {2, 4, 8}) {
    for (const std::int64_t width : {4, 8, 16, 24}) {
      const Prediction prediction = model->predict(cifar_resnet(3, width, bits, bits));
      SCOPED_TRACE(::testing::Message() << bits << " bits, " << width << " wide");
      ASSERT_TRUE(prediction.is_feasible) << prediction.reason;
      ASSERT_TRUE(prediction.resources.has_value());
      EXPECT_LE(prediction.resources->lut, device.at("luts") * device.at("usable_share") * (1 + 1e-9));
      EXPECT_LE(prediction.resources->ff, device.at("flip_flops"));
      EXPECT_LE(prediction.resources->bram36, device.at("bram36") * device.at("usable_share") * (1 + 1e-9));
      EXPECT_LE(prediction.resources->dsp, device.at("dsps") * device.at("usable_share") * (1 + 1e-9));
      EXPECT_GT(prediction.resources->lut, 20000);
    }
  }
}

TEST(Dataflow, FewerBitsAndChannelsAreFaster) {
  const auto model = make_hardware_model(load_device("finn-zcu104"));
  const double full = model->predict(cifar_resnet(3, 16, 8, 8)).latency_ms;
  const double narrow = model->predict(cifar_resnet(3, 16, 3, 3)).latency_ms;
  const double thin = model->predict(cifar_resnet(3, 8, 8, 8)).latency_ms;
  EXPECT_LT(narrow, 0.7 * full);
  EXPECT_LT(thin, 0.7 * full);
}

TEST(Dataflow, NarrowingOrThinningOneLayerIsNeverDearer) {
  const auto model = make_hardware_model(load_device("finn-zcu104"));
  const Workload full = cifar_resnet(2, 16, 6, 6);
  const double before = model->predict(full).latency_ms;
  for (std::size_t i = 0; i < full.ops.size(); ++i) {
    Workload narrow = full;
    narrow.ops[i].weight_bits = 3;
    // The solver's gap to the optimum.
    EXPECT_LE(model->predict(narrow).latency_ms, 1.02 * before) << "operator " << i;
  }
}

TEST(Dataflow, ABatchCostsItsImagesTimesTheInterval) {
  const auto model = make_hardware_model(load_device("finn-zcu104"));
  const double one = model->predict(cifar_resnet(1, 16, 4, 4, 1)).latency_ms;
  const double two = model->predict(cifar_resnet(1, 16, 4, 4, 2)).latency_ms;
  const double three = model->predict(cifar_resnet(1, 16, 4, 4, 3)).latency_ms;
  EXPECT_GT(two, one);
  EXPECT_NEAR(three - two, two - one, 1e-9);
  EXPECT_LT(two, 1.5 * one);  // the fill is paid once
}

TEST(Dataflow, ANetworkThatCannotFitSaysWhatIsMissing) {
  DeviceSpec device = load_device("finn-zcu104");
  device.parameters["bram36"] = 40;
  device.parameters["luts"] = 30000;
  const Prediction prediction = make_hardware_model(device)->predict(cifar_resnet(3, 64, 8, 8));
  EXPECT_FALSE(prediction.is_feasible);
  EXPECT_THAT(prediction.reason, ::testing::MatchesRegex("does not fit: with its smallest foldings the network needs [0-9]+ .*usable.*"));
  EXPECT_THAT(prediction.reason, ::testing::HasSubstr("look-up tables"));
  EXPECT_TRUE(std::isfinite(prediction.latency_ms));
}

TEST(Dataflow, FloatLayersAreChargedAsEightBits) {
  const auto model = make_hardware_model(load_device("finn-zcu104"));
  const Prediction prediction = model->predict(cifar_resnet(1, 16, 32, 32));
  EXPECT_EQ(prediction.latency_ms, model->predict(cifar_resnet(1, 16, 8, 8)).latency_ms);
  ASSERT_EQ(prediction.notes.size(), 1u);
}

}  // namespace
}  // namespace lathe::hwmodels
