// Scores where blocks may go and layers may be factored: those of the candidate's workload, which is the workload of the network that the
// policy makes.
#include <gtest/gtest.h>

#include <algorithm>

#include "hwmodels/policy_scorer.h"
#include "policies/architecture.h"
#include "policies/prune.h"
#include "tests/hwmodels/sketched_resnet.h"

namespace lathe::hwmodels {
namespace {

using policies::Candidate;
using policies::SpaceOptions;

constexpr double kTolerance = 1e-9;  // of the scorer's header; only the order of sums differs

const SpaceOptions kArchitecture{.keep_ratios = {0.5, 1}, .depth = true, .rank_ratios = {0.25, 0.5}};

class ArchitectureScores : public ::testing::TestWithParam<std::string> {};

TEST_P(ArchitectureScores, EqualPredictions) {
  // Five blocks a stage: four that may go in a row, behind one another.
  const ScorerCase c(sketched_resnet(5), {GetParam()}, kArchitecture);
  const auto model = make_hardware_model(load_device(GetParam()));
  const PolicyScorer scorer(c.builder, c.space, *model);
  Rng rng(3, GetParam());
  for (int i = 0; i < 40; ++i) {
    const Candidate candidate = c.random_candidate(rng);
    SCOPED_TRACE(::testing::Message() << "candidate " << i);
    const DeviceScore score = scorer.score(candidate), cost = scorer.score_cost(candidate);
    const Prediction prediction = model->predict(policies::workload_of(c.builder, c.space, candidate));
    EXPECT_NEAR(score.latency_ms, prediction.latency_ms, kTolerance * prediction.latency_ms);
    EXPECT_NEAR(score.energy_mj, prediction.energy_mj, kTolerance * prediction.energy_mj);
    EXPECT_EQ(score.peak_activation_bytes, prediction.peak_activation_bytes);
    EXPECT_EQ(score.weight_bytes, prediction.weight_bytes);
    EXPECT_EQ(score.is_feasible, prediction.is_feasible);
    EXPECT_DOUBLE_EQ(cost.latency_ms, score.latency_ms);
    EXPECT_DOUBLE_EQ(cost.energy_mj, score.energy_mj);
    // What has no effect has none here.
    EXPECT_EQ(scorer.score(canonical(c.space, candidate)).latency_ms, score.latency_ms);
    EXPECT_EQ(scorer.score(canonical(c.space, candidate)).peak_activation_bytes, score.peak_activation_bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, ArchitectureScores, ::testing::Values("raspberry-pi-4", "nvidia-t4", "finn-zcu104", "bismo-pynq-z1"),
                         [](const auto& param_info) {
                           std::string name = param_info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

std::vector<std::string> names(const Prediction& prediction) {
  std::vector<std::string> names;
  for (const LayerPrediction& layer : prediction.layers) names.push_back(layer.name);
  return names;
}

// With one width for all, so that nothing hangs on who reads a value.
TEST(ArchitectureWorkload, IsThatOfTheNetworkThatThePolicyMakes) {
  for (const int bits : {8, 32}) {
    SpaceOptions options = kArchitecture;
    options.weight_bits = options.activation_bits = {bits};
    const ScorerCase c(sketched_resnet(3), {"raspberry-pi-4"}, options);
    const auto model = make_hardware_model(load_device("raspberry-pi-4"));
    std::vector<std::vector<double>> importance;
    for (const auto& group : c.analysis.groups) importance.emplace_back(static_cast<std::size_t>(group.channels), 1.0);
    Rng rng(5, "policies");
    for (int i = 0; i < 30; ++i) {
      SCOPED_TRACE(::testing::Message() << bits << " bits, candidate " << i);
      const Candidate candidate = c.random_candidate(rng);
      const policies::Policy policy = policies::to_policy(c.network, c.space, candidate, importance, "l1");
      const models::Network made = policies::with_architecture(
          policies::prune(c.network, c.analysis, policies::kept_channels(c.network, c.analysis, policy)), policy);
      models::validate(made);
      const policies::CouplingAnalysis analysis = policies::analyze_coupling(made);
      const policies::WorkloadBuilder builder(made, analysis, 1);
      std::vector<policies::WorkloadBuilder::Bits> widths(made.nodes.size(), {.weight = bits, .activation = bits});
      const Prediction expected = model->predict(builder.build(builder.full_counts(), widths));
      for (const policies::Workload& workload :
           {policies::workload_of(c.builder, c.space, candidate), policies::workload_of(c.builder, c.network, c.analysis, policy)}) {
        const Prediction prediction = model->predict(workload);
        EXPECT_NEAR(prediction.latency_ms, expected.latency_ms, kTolerance * expected.latency_ms);
        EXPECT_NEAR(prediction.energy_mj, expected.energy_mj, kTolerance * expected.energy_mj);
        EXPECT_EQ(prediction.weight_bytes, expected.weight_bytes);
        EXPECT_EQ(prediction.peak_activation_bytes, expected.peak_activation_bytes);
        EXPECT_EQ(names(prediction), names(expected));
      }
    }
  }
}

}  // namespace
}  // namespace lathe::hwmodels
