#include "hwmodels/calibration/gaussian_regression.h"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <cmath>
#include <limits>
#include <numbers>

#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr int kReweightings = 10, kNoiseLevels = 12;
constexpr double kNoiseGridSpreads = 2.5;  // the grid reaches this many spreads to either side

// The root L of a positive semidefinite S = L L^T.
MatrixXd root_of(const MatrixXd& s) {
  const Eigen::SelfAdjointEigenSolver<MatrixXd> solver(s);
  return solver.eigenvectors() * solver.eigenvalues().cwiseMax(0).cwiseSqrt().asDiagonal();
}

// The t density as the largest Gaussian of variance noise^2 / w over the weights w, times exp(gain): what the weights cost.
double weight_gain(const VectorXd& weights) {
  return (kStudentDegrees / 2 * (weights.array().log() - weights.array() + 1)).sum();
}

RobustPosterior condition_at_noise(const Gaussian& prior, double noise, const MatrixXd& x, const VectorXd& y) {
  VectorXd weights = VectorXd::Ones(y.size());
  RobustPosterior result{.noise = noise};
  for (int i = 0; i < kReweightings; ++i) {
    LinearPosterior posterior = condition(prior, x, y, noise * noise * weights.cwiseInverse());
    result.log_evidence = posterior.log_evidence + weight_gain(weights);
    result.coefficients = std::move(posterior.coefficients);
    result.deviations = (y - x * result.coefficients.mean) / noise;
    const VectorXd uncertainty = (x * result.coefficients.covariance).cwiseProduct(x).rowwise().sum() / (noise * noise);
    weights = (kStudentDegrees + 1) / (kStudentDegrees + result.deviations.array().square() + uncertainty.array());
  }
  return result;
}

}  // namespace

LinearPosterior condition(const Gaussian& prior, const MatrixXd& x, const VectorXd& y, const VectorXd& noise_variance) {
  LATHE_CHECK_EQ(x.rows(), y.size());
  LATHE_CHECK_EQ(x.cols(), prior.mean.size());
  // In whitened coefficients u, b = mean + L u with u ~ N(0, I), the precision I + B^T W B is well conditioned whatever the prior is.
  const MatrixXd l = root_of(prior.covariance);
  const VectorXd w = noise_variance.cwiseInverse(), residual = y - x * prior.mean;
  const MatrixXd b = x * l;
  const MatrixXd precision = MatrixXd::Identity(l.cols(), l.cols()) + b.transpose() * w.asDiagonal() * b;
  const Eigen::LLT<MatrixXd> factor(precision);
  const VectorXd projected = b.transpose() * w.cwiseProduct(residual), u = factor.solve(projected);
  LinearPosterior posterior;
  posterior.coefficients = {prior.mean + l * u, l * factor.solve(l.transpose())};
  const double log_determinant = 2 * factor.matrixLLT().diagonal().array().log().sum() + noise_variance.array().log().sum();
  const double quadratic = residual.dot(w.cwiseProduct(residual)) - projected.dot(u);
  posterior.log_evidence = -0.5 * (quadratic + log_determinant + static_cast<double>(y.size()) * std::log(2 * std::numbers::pi));
  return posterior;
}

std::vector<int> RobustPosterior::outliers() const {
  std::vector<int> rows;
  for (int i = 0; i < deviations.size(); ++i) {
    if (std::abs(deviations[i]) > kOutlierDeviations) rows.push_back(i);
  }
  return rows;
}

RobustPosterior condition_robustly(const Gaussian& prior, const NoiseBelief& noise, const MatrixXd& x, const VectorXd& y) {
  RobustPosterior best{.log_evidence = -std::numeric_limits<double>::infinity()};
  for (int level = 0; level < kNoiseLevels; ++level) {
    const double spreads = kNoiseGridSpreads * (2.0 * level / (kNoiseLevels - 1) - 1);
    RobustPosterior candidate = condition_at_noise(prior, std::exp(noise.log_mean + spreads * noise.log_spread), x, y);
    candidate.log_evidence -= 0.5 * spreads * spreads;
    if (candidate.log_evidence > best.log_evidence) best = std::move(candidate);
  }
  return best;
}

}  // namespace lathe::hwmodels
