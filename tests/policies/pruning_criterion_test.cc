#include "policies/pruning_criterion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "models/network.h"
#include "policies/weight_criteria.h"

namespace lathe::policies {
namespace {

using models::kDynamic;
using models::Tensor;
using testing::ElementsAre;

// y = W3 (relu(W1 x) + W2 x): the Add couples the three outputs of fc1 and fc2.
models::Network coupled_network() {
  models::Network network{.name = "coupled"};
  const auto value = [&](const char* name, std::int64_t width) {
    return network.add_value({name, models::DataType::kFloat32, {kDynamic, width}});
  };
  const auto x = value("x", 2), a = value("a", 3), r = value("r", 3), b = value("b", 3), sum = value("sum", 3), y = value("y", 2);
  const auto w1 = network.add_constant("w1", Tensor::from<float>({3, 2}, std::vector<float>{3, 4, 0, 0, -1, 1}));
  const auto w2 = network.add_constant("w2", Tensor::from<float>({3, 2}, std::vector<float>{0, 0, 6, 8, 1, 1}));
  const auto w3 = network.add_constant("w3", Tensor::from<float>({2, 3}, std::vector<float>{1, 1, 1, 1, 1, 1}));
  const std::map<std::string, models::Attribute> transposed{{"transB", std::int64_t{1}}};
  network.nodes = {{.name = "fc1", .op = "Gemm", .inputs = {x, w1}, .outputs = {a}, .attributes = transposed},
                   {.name = "relu", .op = "Relu", .inputs = {a}, .outputs = {r}},
                   {.name = "fc2", .op = "Gemm", .inputs = {x, w2}, .outputs = {b}, .attributes = transposed},
                   {.name = "add", .op = "Add", .inputs = {r, b}, .outputs = {sum}},
                   {.name = "fc3", .op = "Gemm", .inputs = {sum, w3}, .outputs = {y}, .attributes = transposed}};
  network.inputs = {x};
  network.outputs = {y};
  return network;
}

class PruningCriterion : public testing::Test {
 protected:
  const models::Network network_ = coupled_network();
  const CouplingAnalysis analysis_ = analyze_coupling(network_);
};

// By hand, fc1 + fc2 in each.
TEST_F(PruningCriterion, ScoresAreSummedOverCoupledLayers) {
  ASSERT_EQ(analysis_.groups[0].name, "fc1");
  EXPECT_THAT(l1_importance(network_, analysis_)[0], ElementsAre(7, 14, 4));
  EXPECT_THAT(l2_importance(network_, analysis_)[0], ElementsAre(5, 10, testing::DoubleNear(2 * std::sqrt(2), 1e-12)));
  // Distances in fc1: 5, 5 (between (3, 4) and (-1, 1)), sqrt 2; in fc2: 10, sqrt 2, sqrt(25 + 49).
  const double diagonal = std::sqrt(2), far = std::sqrt(74);
  EXPECT_THAT(fpgm_importance(network_, analysis_)[0],
              ElementsAre(testing::DoubleNear(20 + diagonal, 1e-12), testing::DoubleNear(15 + diagonal + far, 1e-12),
                          testing::DoubleNear(5 + 2 * diagonal + far, 1e-12)));
}

TEST_F(PruningCriterion, BatchNormFallsBackToL1WhereThereIsNone) {
  EXPECT_EQ(batch_norm_importance(network_, analysis_), l1_importance(network_, analysis_));
}

TEST_F(PruningCriterion, RandomIsAFunctionOfItsSeed) {
  EXPECT_EQ(weight_importance(network_, analysis_, "random", 7), weight_importance(network_, analysis_, "random", 7));
  EXPECT_NE(weight_importance(network_, analysis_, "random", 7), weight_importance(network_, analysis_, "random", 8));
}

TEST(MostImportant, TiesGoToTheLowerIndex) {
  EXPECT_THAT(most_important({1, 3, 1, 3, 0}, 3), ElementsAre(0, 1, 3));
}

}  // namespace
}  // namespace lathe::policies
