#include "hwmodels/calibration/crossed_effects.h"

#include <Eigen/Cholesky>
#include <map>
#include <utility>

#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

// The weights hardly move after these.
constexpr int kReweightings = 3, kObservationReweightings = 8;

// Variance of each row's noise that makes the Student t a mixture of Gaussians (K. Lange et al., JASA 84, 1989), given the residuals and
// their posterior variance.
VectorXd scaled_variance(double noise, const VectorXd& residual, const VectorXd& uncertainty) {
  const double variance = noise * noise;
  const VectorXd squared = (residual.array().square() + uncertainty.array()) / variance;
  return variance * (kStudentDegrees + squared.array()) / (kStudentDegrees + 1);
}

MatrixXd inverse_of(const MatrixXd& positive_definite) {
  const Eigen::LLT<MatrixXd> factor(positive_definite);
  LATHE_CHECK(factor.info() == Eigen::Success) << "a covariance is not positive definite";
  return factor.solve(MatrixXd::Identity(positive_definite.rows(), positive_definite.cols()));
}

}  // namespace

std::vector<int> joint_groups(const std::vector<int>& a, const std::vector<int>& b) {
  LATHE_CHECK_EQ(a.size(), b.size());
  std::map<std::pair<int, int>, int> number;
  std::vector<int> groups;
  for (std::size_t i = 0; i < a.size(); ++i) {
    groups.push_back(number.try_emplace({a[i], b[i]}, static_cast<int>(number.size())).first->second);
  }
  return groups;
}

MatrixXd feature_products(const MatrixXd& a, const MatrixXd& b) {
  LATHE_CHECK_EQ(a.rows(), b.rows());
  MatrixXd products(a.rows(), a.cols() * b.cols());
  for (Eigen::Index i = 0; i < a.cols(); ++i) products.middleCols(i * b.cols(), b.cols()) = b.array().colwise() * a.col(i).array();
  return products;
}

MatrixXd effects_covariance(const std::vector<Effect>& effects, int rows) {
  MatrixXd covariance = MatrixXd::Zero(rows, rows);
  for (const Effect& effect : effects) {
    const bool is_constant = effect.features.cols() == 0;
    LATHE_CHECK(effect.group.empty() || effect.group.size() == static_cast<std::size_t>(rows)) << "an effect lacks rows";
    LATHE_CHECK(is_constant || effect.features.rows() == rows) << "an effect lacks rows";
    const MatrixXd products = is_constant ? MatrixXd::Ones(rows, rows) : MatrixXd(effect.features * effect.features.transpose());
    const double variance = effect.scale * effect.scale;
    for (int j = 0; j < rows; ++j) {
      for (int i = 0; i < rows; ++i) {
        const bool is_shared =
            effect.group.empty() || effect.group[static_cast<std::size_t>(i)] == effect.group[static_cast<std::size_t>(j)];
        if (is_shared) covariance(i, j) += variance * products(i, j);
      }
    }
  }
  return covariance;
}

CrossedEffects::CrossedEffects(const std::vector<Effect>& effects, VectorXd y, double noise) : y_(std::move(y)), noise_(noise) {
  const MatrixXd covariance = effects_covariance(effects, static_cast<int>(y_.size()));
  variance_ = VectorXd::Constant(y_.size(), noise * noise);
  MatrixXd root;  // of P: P = root^T root
  for (int i = 0; i <= kReweightings; ++i) {
    const Eigen::LLT<MatrixXd> factor(covariance + MatrixXd(variance_.asDiagonal()));
    LATHE_CHECK(factor.info() == Eigen::Success) << "the effects' covariance is not positive definite";
    root = factor.matrixL().solve(MatrixXd::Identity(y_.size(), y_.size()));
    weighted_ = root.transpose() * (root * y_);
    if (i == kReweightings) break;
    const VectorXd diagonal = root.colwise().squaredNorm();
    variance_ = scaled_variance(noise, variance_.cwiseProduct(weighted_), variance_ - variance_.cwiseAbs2().cwiseProduct(diagonal));
  }
  precision_ = MatrixXd::Zero(y_.size(), y_.size());
  precision_.selfadjointView<Eigen::Lower>().rankUpdate(root.transpose());
  precision_ = MatrixXd(precision_.selfadjointView<Eigen::Lower>());
}

Gaussian CrossedEffects::leave_out(const std::vector<int>& rows) const {
  const MatrixXd covariance = inverse_of(precision_(rows, rows));
  return {y_(rows) - covariance * weighted_(rows), covariance - MatrixXd(variance_(rows).asDiagonal())};
}

Gaussian observe(const Gaussian& belief, const std::vector<int>& measured, const VectorXd& y, double noise) {
  const MatrixXd prior = belief.covariance(measured, measured);
  const VectorXd surprise = y - belief.mean(measured);
  VectorXd variance = VectorXd::Constant(y.size(), noise * noise);
  MatrixXd precision = inverse_of(prior + MatrixXd(variance.asDiagonal()));
  for (int i = 0; i < kObservationReweightings; ++i) {
    const VectorXd residual = variance.cwiseProduct(precision * surprise);
    variance = scaled_variance(noise, residual, variance - variance.cwiseAbs2().cwiseProduct(precision.diagonal()));
    precision = inverse_of(prior + MatrixXd(variance.asDiagonal()));
  }
  const MatrixXd cross = belief.covariance(Eigen::all, measured);
  return {belief.mean + cross * (precision * surprise), belief.covariance - cross * precision * cross.transpose()};
}

}  // namespace lathe::hwmodels
