#include "hwmodels/calibration/crossed_effects.h"

#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <cmath>

#include "models/base/rng.h"

namespace lathe::hwmodels {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

// Four boards x six networks, with a slope of each board on a feature.
struct Case {
  std::vector<int> board, network;
  MatrixXd feature = MatrixXd(24, 1);
  VectorXd y = VectorXd(24);
  std::vector<Effect> effects;

  explicit Case(double noise) {
    Rng rng(3, "crossed effects");
    VectorXd of_board(4), of_network(6), slope(4);
    for (double& value : of_board) value = 0.5 * rng.normal();
    for (double& value : slope) value = 0.3 * rng.normal();
    for (double& value : of_network) value = 0.4 * rng.normal();
    for (int i = 0; i < 24; ++i) {
      board.push_back(i / 6);
      network.push_back(i % 6);
      feature(i, 0) = rng.uniform();
      y[i] = of_board[i / 6] + slope[i / 6] * feature(i, 0) + of_network[i % 6] + noise * rng.normal();
    }
    effects = {{0.5, board, {}}, {0.3, board, feature}, {0.4, network, {}}};
  }
};

TEST(CrossedEffects, CovarianceAddsWhatRowsShare) {
  const std::vector<Effect> effects = {{2, {0, 0, 1}, {}}, {3, {}, (MatrixXd(3, 1) << 1, 2, 4).finished()}};
  const MatrixXd expected = (MatrixXd(3, 3) << 4 + 9, 4 + 18, 36, 4 + 18, 4 + 36, 72, 36, 72, 4 + 144).finished();
  EXPECT_LT((effects_covariance(effects, 3) - expected).norm(), 1e-12);
}

TEST(CrossedEffects, JointGroupsTellPairsApart) {
  EXPECT_EQ(joint_groups({0, 0, 1, 1}, {0, 1, 0, 0}), (std::vector<int>{0, 1, 2, 2}));
}

TEST(CrossedEffects, ProductsOfFeaturesAreRowByRow) {
  const MatrixXd a = (MatrixXd(2, 2) << 1, 2, 3, 4).finished(), b = (MatrixXd(2, 1) << 10, 100).finished();
  EXPECT_EQ(feature_products(a, b), (MatrixXd(2, 2) << 10, 20, 300, 400).finished());
}

TEST(CrossedEffects, LeavingOutEqualsTheRegressionOnTheOthers) {
  // With very large noise bounds no weight moves far: compare with K_TR (K_RR + noise)^-1 y_R on clean data.
  const Case c(0.01);
  const double noise = 0.5;
  const CrossedEffects model(c.effects, c.y, noise);
  std::vector<int> left_out = {6, 7, 8, 9, 10, 11}, others;
  for (int i = 0; i < 24; ++i) {
    if (i < 6 || i > 11) others.push_back(i);
  }
  const MatrixXd covariance = effects_covariance(c.effects, 24);
  // Weights of rows that fit are (4 + 1) / 4 at most: the noise lies between noise^2 * 4 / 5 and noise^2.
  MatrixXd low = covariance(others, others), high = low;
  low.diagonal().array() += noise * noise * 4 / 5;
  high.diagonal().array() += noise * noise;
  const VectorXd y_others = c.y(others);
  const VectorXd at_low = covariance(left_out, others) * low.llt().solve(y_others);
  const VectorXd at_high = covariance(left_out, others) * high.llt().solve(y_others);
  const Gaussian known = model.leave_out(left_out);
  for (Eigen::Index i = 0; i < 6; ++i) {
    EXPECT_NEAR(known.mean[i], (at_low[i] + at_high[i]) / 2, 0.05) << i;
    EXPECT_GT(known.covariance(i, i), 0);
    EXPECT_LE(known.covariance(i, i), covariance(left_out[static_cast<std::size_t>(i)], left_out[static_cast<std::size_t>(i)]) + 1e-9);
  }
}

TEST(CrossedEffects, FewMeasurementsOfANewBoardTellTheRest) {
  const Case c(0.02);
  const CrossedEffects model(c.effects, c.y, 0.05);
  const std::vector<int> board = {18, 19, 20, 21, 22, 23};
  const Gaussian before = model.leave_out(board);
  const Gaussian after = observe(before, {0, 3}, c.y({18, 21}), model.noise());
  double error_before = 0, error_after = 0;
  for (const int i : {1, 2, 4, 5}) {
    error_before += std::abs(before.mean[i] - c.y[18 + i]);
    error_after += std::abs(after.mean[i] - c.y[18 + i]);
    EXPECT_LT(after.covariance(i, i), before.covariance(i, i));
  }
  EXPECT_LT(error_after, 0.5 * error_before);
}

TEST(CrossedEffects, AMisprintedRowDoesNotBendTheOthers) {
  Case c(0.02);
  const CrossedEffects clean(c.effects, c.y, 0.05);
  c.y[2] += 3;  // a factor of 20
  const CrossedEffects misprinted(c.effects, c.y, 0.05);
  for (const int row : {1, 8, 14}) {  // its board, its network twice
    EXPECT_NEAR(misprinted.leave_out({row}).mean[0], clean.leave_out({row}).mean[0], 0.15) << row;
  }
}

}  // namespace
}  // namespace lathe::hwmodels
