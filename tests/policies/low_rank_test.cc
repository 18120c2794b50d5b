#include "policies/low_rank.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "models/op_counts.h"
#include "network_sketch.h"
#include "policies/architecture.h"
#include "policies/layer_policies.h"
#include "policies/quantize_network.h"
#include "policies/workload.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Network;
using models::ValueId;
using ::testing::HasSubstr;

constexpr std::int64_t kRank = 2, kSamples = 7;

// W[a, b] = sin(1 + 3 a + 2 b + a b / 2)
std::vector<double> example_weight(const MatrixSize& size) {
  std::vector<double> weight;
  for (std::int64_t a = 0; a < size.outputs; ++a) {
    for (std::int64_t b = 0; b < size.inputs; ++b)
      weight.push_back(std::sin(1 + 3 * static_cast<double>(a) + 2 * static_cast<double>(b) + 0.5 * static_cast<double>(a * b)));
  }
  return weight;
}

// E[x x^T] over 7 samples, X[a, n] = cos(0.3 a + 0.7 n + 0.11 a n)
std::vector<double> example_covariance(std::int64_t inputs) {
  std::vector<double> covariance(static_cast<std::size_t>(inputs * inputs), 0);
  const auto x = [](std::int64_t a, std::int64_t n) {
    return std::cos(0.3 * static_cast<double>(a) + 0.7 * static_cast<double>(n) + 0.11 * static_cast<double>(a * n));
  };
  for (std::int64_t a = 0; a < inputs; ++a) {
    for (std::int64_t b = 0; b < inputs; ++b) {
      for (std::int64_t n = 0; n < kSamples; ++n) covariance[static_cast<std::size_t>(a * inputs + b)] += x(a, n) * x(b, n) / kSamples;
    }
  }
  return covariance;
}

// E|(W - U V) x|^2
double squared_error(const std::vector<double>& weight, const MatrixSize& size, const LowRankFactors& factors,
                     const std::vector<double>& covariance) {
  std::vector<double> left = weight;
  const auto at = [](const std::vector<double>& matrix, std::int64_t columns, std::int64_t row, std::int64_t column) {
    return matrix[static_cast<std::size_t>(row * columns + column)];
  };
  double error = 0;
  for (std::int64_t o = 0; o < size.outputs; ++o) {
    std::vector<double> row;
    for (std::int64_t i = 0; i < size.inputs; ++i) {
      row.push_back(at(weight, size.inputs, o, i));
      for (std::int64_t r = 0; r < kRank; ++r) row.back() -= at(factors.u, kRank, o, r) * at(factors.v, size.inputs, r, i);
    }
    for (std::int64_t i = 0; i < size.inputs; ++i) {
      for (std::int64_t j = 0; j < size.inputs; ++j) {
        const double c = covariance.empty() ? (i == j ? 1 : 0) : at(covariance, size.inputs, i, j);
        error += row[static_cast<std::size_t>(i)] * c * row[static_cast<std::size_t>(j)];
      }
    }
  }
  return error;
}

// Eckart and Young: the squares of the singular values left out, as numpy.linalg.svd(W) gives them.
TEST(LowRank, TruncatedSingularValuesAreWhatIsLost) {
  for (const auto& [size, lost] : {std::pair{MatrixSize{4, 6}, 2.0623275092754936}, std::pair{MatrixSize{6, 4}, 1.1137409985875706}}) {
    const std::vector<double> weight = example_weight(size);
    EXPECT_NEAR(squared_error(weight, size, low_rank_factors(weight, size, kRank), {}), lost, 1e-9);
  }
}

// The best that any factors of rank 2 can do on the samples: the tail of numpy.linalg.svd(W @ X) / 7. Those by the weights alone lose
// 0.18163 and 0.88402 there.
TEST(LowRank, FactorsByTheCovarianceLoseTheLeastOnTheSamples) {
  const MatrixSize wide{4, 6}, tall{6, 4};
  for (const auto& [size, best, plain] :
       {std::tuple{wide, 0.000603194654861448, 0.18163232089891207}, std::tuple{tall, 0.03509646790180777, 0.884024472513431}}) {
    const std::vector<double> weight = example_weight(size), covariance = example_covariance(size.inputs);
    EXPECT_NEAR(squared_error(weight, size, low_rank_factors(weight, size, kRank, covariance), covariance), best, 1e-9);
    EXPECT_NEAR(squared_error(weight, size, low_rank_factors(weight, size, kRank), covariance), plain, 1e-9);
  }
}

// Inputs that are never there, outputs that are always zero.
TEST(LowRank, SingularCovarianceAndWeightsGiveFiniteFactors) {
  for (const MatrixSize size : {MatrixSize{4, 6}, MatrixSize{6, 4}}) {
    const std::vector<double> nothing(static_cast<std::size_t>(size.inputs * size.inputs), 0);
    const std::vector<double> zeros(static_cast<std::size_t>(size.outputs * size.inputs), 0);
    for (const LowRankFactors& factors :
         {low_rank_factors(example_weight(size), size, kRank, nothing), low_rank_factors(zeros, size, kRank)}) {
      for (const std::vector<double>* part : {&factors.u, &factors.v}) {
        for (const double value : *part) EXPECT_TRUE(std::isfinite(value));
      }
    }
  }
}

TEST(LowRank, RanksThatSaveNothingLeaveTheLayerWhole) {
  EXPECT_EQ(rank_at(0.5, {16, 144}), 8);     // 8 * 160 < 16 * 144
  EXPECT_EQ(rank_at(0.875, {16, 144}), 14);  // 14 * 160 < 2304
  EXPECT_EQ(rank_at(0.9375, {16, 144}), 0);  // 15 * 160 > 2304
  EXPECT_EQ(rank_at(0.5, {16, 16}), 0);      // a square matrix has to lose more than half
  EXPECT_EQ(rank_at(0.01, {16, 144}), 1);
  EXPECT_EQ(rank_at(1, {16, 144}), 0);
}

// conv (stride 2) -> conv -> head, one bias each.
Network two_convolutions() {
  NetworkSketch sketch({kDynamic, 3, 8, 8});
  const ValueId a = sketch.unary("relu1", "Relu", sketch.conv("conv1", sketch.input(), 16, 2));
  const ValueId b = sketch.unary("relu2", "Relu", sketch.conv("conv2", a, 24));
  return sketch.finish({sketch.head(b, 10)});
}

Policy factoring(const std::map<std::string, double>& ratios) {
  Policy policy;
  for (const auto& [name, ratio] : ratios)
    policy.layers.push_back({.name = name, .weight_bits = 4, .weight_format = "int", .rank_ratio = ratio});
  return policy;
}

TEST(LowRank, LayersBecomeTwoThatMultiplyLess) {
  const Network network = two_convolutions();
  const Network factored = with_low_rank(network, factoring({{"conv1", 0.5}, {"conv2", 0.25}, {"fc", 0.2}}));
  models::validate(factored);
  const auto nodes = models::node_indices(factored);
  const auto shape = [&](const std::string& name, std::size_t input) {
    const models::Node& node = factored.nodes[static_cast<std::size_t>(nodes.at(name))];
    return factored.value(node.inputs[input]).shape;
  };
  EXPECT_EQ(shape("conv1/low_rank", 1), (models::Shape{8, 3, 3, 3}));
  EXPECT_EQ(shape("conv1", 1), (models::Shape{16, 8, 1, 1}));
  EXPECT_EQ(shape("conv1", 0), (models::Shape{kDynamic, 8, 4, 4}));
  EXPECT_EQ(shape("conv2/low_rank", 1), (models::Shape{6, 16, 3, 3}));
  EXPECT_EQ(shape("fc/low_rank", 1), (models::Shape{2, 24}));
  EXPECT_EQ(shape("fc", 1), (models::Shape{10, 2}));
  EXPECT_EQ(models::total_macs(factored), 16 * (8 * 27 + 8 * 16) + 16 * (6 * 144 + 6 * 24) + 2 * 24 + 2 * 10);
}

TEST(LowRank, BothFactorsHaveTheLayersWidths) {
  const Policy policy = factoring({{"conv1", 0.5}});
  const Network factored = with_low_rank(two_convolutions(), policy);
  const std::vector<const LayerPolicy*> entries = layer_policies(factored, policy);
  const auto nodes = models::node_indices(factored);
  for (const char* name : {"conv1", "conv1/low_rank"}) EXPECT_EQ(entries[static_cast<std::size_t>(nodes.at(name))], &policy.layers[0]);
  EXPECT_EQ(entries[static_cast<std::size_t>(nodes.at("conv2"))], nullptr);
  // 4 bits a weight and a float scale a channel; all else is float.
  const std::int64_t floats = (16 + 24 * 144 + 24 + 10 * 24 + 10 + 8 + 16) * 4;
  EXPECT_EQ(packed_bytes(factored, policy), (8 * 27 + 16 * 8) / 2 + floats);
}

TEST(LowRank, WhatCannotBeFactoredIsNamed) {
  NetworkSketch sketch({kDynamic, 4, 8, 8});
  const ValueId x = sketch.conv("depthwise", sketch.input(), 4, 1, 4);
  const Network network = sketch.finish({sketch.head(x, 10)});
  std::vector<Fault> faults;
  check_architecture(network, factoring({{"depthwise", 0.5}, {"fc", 0.5}}), faults);
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].key, "layers[0].rank_ratio");
  EXPECT_THAT(faults[0].expected, HasSubstr("layer 'depthwise' cannot be factored: it is no convolution of one group"));
}

// The workload of a policy is that of the network that it makes.
TEST(LowRank, WorkloadIsThatOfTheFactoredNetwork) {
  const Network network = two_convolutions();
  Policy policy = factoring({{"conv1", 0.5}, {"conv2", 0.25}});
  const Network factored = with_low_rank(network, policy);
  const CouplingAnalysis analysis = plain_analysis(network), analysis_of_factored = plain_analysis(factored);
  const Workload expected = workload_of(WorkloadBuilder(factored, analysis_of_factored, 2), factored, analysis_of_factored, Policy{});
  for (LayerPolicy& layer : policy.layers) layer = {.name = layer.name, .rank_ratio = layer.rank_ratio};
  Workload workload = workload_of(WorkloadBuilder(network, analysis, 2), network, analysis, policy);
  ASSERT_EQ(workload.ops.size(), expected.ops.size());
  for (std::size_t i = 0; i < expected.ops.size(); ++i) {
    workload.ops[i].node = expected.ops[i].node;
    EXPECT_EQ(workload.ops[i], expected.ops[i]) << expected.ops[i].name;
  }
  std::erase_if(workload.values, [](const LiveValue& value) { return value.elements == 0; });
  EXPECT_EQ(workload.values, expected.values);
}

}  // namespace
}  // namespace lathe::policies
