#include "hwmodels/policy_scorer.h"

#include <gtest/gtest.h>
#include <tbb/parallel_for.h>

#include <algorithm>

#include "tests/hwmodels/sketched_resnet.h"
#include "tests/hwmodels/sketched_transformer.h"

namespace lathe::hwmodels {
namespace {

using policies::Candidate;
using policies::SpaceOptions;

constexpr double kTolerance = 1e-9;  // the promise of the header; only the order of sums differs

void expect_equal(const DeviceScore& score, const Prediction& prediction) {
  EXPECT_NEAR(score.latency_ms, prediction.latency_ms, kTolerance * prediction.latency_ms);
  EXPECT_NEAR(score.energy_mj, prediction.energy_mj, kTolerance * prediction.energy_mj);
  EXPECT_EQ(score.peak_activation_bytes, prediction.peak_activation_bytes);
  EXPECT_EQ(score.weight_bytes, prediction.weight_bytes);
  EXPECT_EQ(score.is_feasible, prediction.is_feasible);
}

void expect_scores_equal_predictions(const ScorerCase& c, const HardwareModel& model, int candidates) {
  const PolicyScorer scorer(c.builder, c.space, model);
  Rng rng(3, model.device().name);
  for (int i = 0; i < candidates; ++i) {
    const Candidate candidate = i == 0 ? least_compressed(c.space) : c.random_candidate(rng);
    SCOPED_TRACE(::testing::Message() << model.device().name << " candidate " << i);
    const DeviceScore score = scorer.score(candidate);
    expect_equal(score, model.predict(policies::workload_of(c.builder, c.space, candidate)));
    const DeviceScore cost = scorer.score_cost(candidate);
    EXPECT_DOUBLE_EQ(cost.latency_ms, score.latency_ms);
    EXPECT_DOUBLE_EQ(cost.energy_mj, score.energy_mj);
  }
}

TEST(PolicyScorer, ScoresOfManyAreThoseOfEach) {
  // 19: no multiple of the lanes.
  for (const char* device : {"raspberry-pi-4", "nvidia-t4", "finn-zcu104"}) {
    const ScorerCase c(sketched_resnet(1), {"raspberry-pi-4", "nvidia-t4", "finn-zcu104"}, SpaceOptions{});
    const auto model = make_hardware_model(load_device(device));
    const PolicyScorer scorer(c.builder, c.space, *model);
    Rng rng(4, device);
    std::vector<Candidate> candidates;
    for (int i = 0; i < 19; ++i) candidates.push_back(c.random_candidate(rng));
    std::vector<DeviceScore> scores(candidates.size());
    scorer.score_costs(candidates, scores);
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      EXPECT_EQ(scores[i].latency_ms, scorer.score_cost(candidates[i]).latency_ms) << device;
      EXPECT_EQ(scores[i].energy_mj, scorer.score_cost(candidates[i]).energy_mj) << device;
    }
  }
}

double sum_of(const policies::AdditiveCost& cost, const policies::SearchSpace& space, const Candidate& candidate) {
  double sum = cost.constant;
  for (const policies::CostTerm& term : cost.terms) {
    std::size_t entry = 0, stride = 1;
    for (const int decision : term.decisions) {
      const auto d = static_cast<std::size_t>(decision);
      entry += stride * static_cast<std::size_t>(candidate.choices[d]);
      stride *= space.decisions[d].values.size();
    }
    sum += term.values[entry];
  }
  return sum;
}

TEST(PolicyScorer, LatencyIsASumOverDecisions) {
  for (const char* device : {"raspberry-pi-4", "nvidia-t4", "bismo-pynq-z1"}) {
    SCOPED_TRACE(device);
    const ScorerCase c(sketched_resnet(1), {device}, SpaceOptions{});
    const auto model = make_hardware_model(load_device(device));
    const PolicyScorer scorer(c.builder, c.space, *model);
    const policies::AdditiveCost whole = scorer.additive_latency().value(), coarse = scorer.additive_latency(/*most_values=*/8).value();
    EXPECT_TRUE(whole.is_exact);
    EXPECT_FALSE(coarse.is_exact);
    Rng rng(5, device);
    for (int i = 0; i < 20; ++i) {
      const Candidate candidate = c.random_candidate(rng);
      const double latency_ms = scorer.score_cost(candidate).latency_ms;
      EXPECT_NEAR(sum_of(whole, c.space, candidate), latency_ms, kTolerance * latency_ms);
      EXPECT_LE(sum_of(coarse, c.space, candidate), latency_ms * (1 + kTolerance));
    }
  }
}

TEST(PolicyScorer, APipelineIsNoSum) {
  const ScorerCase c(sketched_resnet(1), {"finn-zcu104"}, SpaceOptions{});
  const auto model = make_hardware_model(load_device("finn-zcu104"));
  EXPECT_FALSE(PolicyScorer(c.builder, c.space, *model).additive_latency().has_value());
}

class ScoreEqualsPrediction : public ::testing::TestWithParam<std::string> {};

TEST_P(ScoreEqualsPrediction, OnItsOwnWidths) {
  const ScorerCase c(sketched_resnet(2), {GetParam()}, SpaceOptions{});
  expect_scores_equal_predictions(c, *make_hardware_model(load_device(GetParam())), 20);
}

TEST_P(ScoreEqualsPrediction, OnTheWidthsOfSeveralDevices) {
  const ScorerCase c(sketched_resnet(1), {"raspberry-pi-4", "nvidia-t4", "finn-zcu104"}, SpaceOptions{}, /*batch=*/4);
  expect_scores_equal_predictions(c, *make_hardware_model(load_device(GetParam())), 20);
}

TEST_P(ScoreEqualsPrediction, WithTiedWidthsAndFrozenEnds) {
  const ScorerCase c(sketched_resnet(1), {GetParam()}, SpaceOptions{.tie_bits = true, .first_last_bits = 8});
  expect_scores_equal_predictions(c, *make_hardware_model(load_device(GetParam())), 10);
}

// Sparse kernels that cost nothing to start are taken by small products too; a device that has none takes the weights as dense.
TEST(PolicyScorer, SparsityCostsWhatThePredictionSays) {
  const ScorerCase c(sketched_resnet(1), {"nvidia-h200"}, SpaceOptions{.sparsity = {0.5}, .sparsity_pattern = "2:4"}, /*batch=*/8192);
  DeviceSpec h200 = load_device("nvidia-h200");
  h200.parameters["sparse_overhead_s"] = 1e-12;
  for (const DeviceSpec& device : {h200, load_device("raspberry-pi-4")})
    expect_scores_equal_predictions(c, *make_hardware_model(device), 20);
}

// What a block passes on is at most what it got, so that an operator's cost depends on the decisions of all blocks before.
TEST(PolicyScorer, TokensCostWhatThePredictionSays) {
  const SpaceOptions options{.keep_ratios = {0.5}, .token_keep_ratios = {0.25, 0.5, 0.75}};
  for (const char* name : {"raspberry-pi-4", "nvidia-t4"}) {
    const ScorerCase c(TransformerSketch().draw(3), {name}, options, /*batch=*/2);
    const auto tokens = std::count_if(c.space.groups.begin(), c.space.groups.end(), [](const auto& group) { return group.is_tokens; });
    EXPECT_EQ(tokens, 3);
    const auto model = make_hardware_model(load_device(name));
    expect_scores_equal_predictions(c, *model, 60);
    const PolicyScorer scorer(c.builder, c.space, *model);
    const policies::AdditiveCost whole = scorer.additive_latency().value();
    Rng rng(6, name);
    for (int i = 0; i < 20; ++i) {
      const Candidate candidate = c.random_candidate(rng);
      const double latency_ms = scorer.score_cost(candidate).latency_ms;
      EXPECT_NEAR(sum_of(whole, c.space, candidate), latency_ms, kTolerance * latency_ms);
    }
  }
}

// A block that goes passes on all tokens, whatever its place would keep; what is factored works on those that stay.
TEST(PolicyScorer, TokensBesideBlocksAndRanksCostWhatThePredictionSays) {
  SpaceOptions options{.keep_ratios = {0.5, 1}, .token_keep_ratios = {0.25, 0.5, 0.75}, .depth = true};
  for (const bool has_ranks : {false, true}) {
    if (has_ranks) options.rank_ratios = {0.25, 0.5};
    for (const char* name : {"raspberry-pi-4", "nvidia-t4"}) {
      const ScorerCase c(TransformerSketch().draw(3), {name}, options, /*batch=*/2);
      EXPECT_EQ(c.space.blocks.size(), 6U);
      const auto model = make_hardware_model(load_device(name));
      expect_scores_equal_predictions(c, *model, 60);
      const PolicyScorer scorer(c.builder, c.space, *model);
      Rng rng(7, name);
      for (int i = 0; i < 20; ++i) {
        const Candidate candidate = c.random_candidate(rng);
        EXPECT_EQ(scorer.score(canonical(c.space, candidate)).latency_ms, scorer.score(candidate).latency_ms);
        EXPECT_EQ(scorer.score(canonical(c.space, candidate)).peak_activation_bytes, scorer.score(candidate).peak_activation_bytes);
      }
    }
  }
}

// Marked for dropping tokens, and not marked.
TEST(PolicyScorer, PlacesToDropTokensCostNothing) {
  const models::Network plain = TransformerSketch().draw(2), marked = policies::prepare_for_pruning(plain);
  ASSERT_GT(marked.nodes.size(), plain.nodes.size());
  const auto model = make_hardware_model(load_device("raspberry-pi-4"));
  const auto predicted = [&](const models::Network& network) {
    const policies::WorkloadBuilder builder(network, policies::analyze_coupling(network), /*batch=*/1);
    return model->predict(builder.build(builder.full_counts(), std::vector<policies::WorkloadBuilder::Bits>(network.nodes.size())));
  };
  const Prediction a = predicted(marked), b = predicted(plain);
  EXPECT_NEAR(a.latency_ms, b.latency_ms, kTolerance * b.latency_ms);
  EXPECT_NEAR(a.energy_mj, b.energy_mj, kTolerance * b.energy_mj);
  EXPECT_EQ(a.peak_activation_bytes, b.peak_activation_bytes);
  EXPECT_EQ(a.weight_bytes, b.weight_bytes);
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(PolicyScorer, ScoreEqualsPrediction, ::testing::ValuesIn(device_names()), test_name);

TEST(PolicyScorer, MemoryLimitMakesACandidateInfeasible) {
  const ScorerCase c(sketched_resnet(1), {"raspberry-pi-4"}, SpaceOptions{});
  DeviceSpec device = load_device("raspberry-pi-4");
  const auto generous = make_hardware_model(device);
  const Prediction full = generous->predict(policies::workload_of(c.builder, c.space, least_compressed(c.space)));
  device.parameters["memory_bytes"] = static_cast<double>(full.weight_bytes + full.peak_activation_bytes - 1);
  const auto tight = make_hardware_model(device);
  EXPECT_TRUE(PolicyScorer(c.builder, c.space, *generous).score(least_compressed(c.space)).is_feasible);
  EXPECT_FALSE(PolicyScorer(c.builder, c.space, *tight).score(least_compressed(c.space)).is_feasible);
}

TEST(PolicyScorer, ThreadsSeeTheSameScores) {
  // The dataflow scorer fills its tables while it scores.
  const ScorerCase c(sketched_resnet(1), {"finn-zcu104"}, SpaceOptions{});
  const auto model = make_hardware_model(load_device("finn-zcu104"));
  Rng rng(5, "threads");
  std::vector<Candidate> candidates;
  for (int i = 0; i < 40; ++i) candidates.push_back(c.random_candidate(rng));
  const PolicyScorer serial(c.builder, c.space, *model), parallel(c.builder, c.space, *model);
  std::vector<DeviceScore> scores(candidates.size());
  tbb::parallel_for(std::size_t{0}, candidates.size(), [&](std::size_t i) { scores[i] = parallel.score(candidates[i]); });
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    EXPECT_EQ(scores[i].latency_ms, serial.score(candidates[i]).latency_ms);
    EXPECT_EQ(scores[i].energy_mj, serial.score(candidates[i]).energy_mj);
  }
}

}  // namespace
}  // namespace lathe::hwmodels
