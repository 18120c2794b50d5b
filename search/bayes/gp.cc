#include "search/bayes/gp.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

#include "models/base/check.h"

namespace lathe::search {
namespace {

// Relative to the mean of the diagonal. Candidates are distinct and there is always some noise, so zero nearly always suffices.
constexpr double kJitters[] = {0, 1e-10, 1e-8, 1e-6, 1e-4};

}  // namespace

GaussianProcess::GaussianProcess(const std::vector<std::vector<double>>& positions, GpData data, const GpParameters& parameters)
    : kernel_(positions, parameters.kernel), data_(std::move(data)), extra_noise_(std::exp(parameters.log_noise)) {
  LATHE_CHECK_EQ(data_.rows.size(), data_.targets.size());
  LATHE_CHECK_EQ(data_.rows.size(), data_.noise.size());
  Eigen::MatrixXd covariance = kernel_.matrix(data_.rows);
  covariance.diagonal() += data_.noise;
  covariance.diagonal().array() += extra_noise_;
  const double scale = size() > 0 ? covariance.diagonal().mean() : 1;
  for (const double jitter : kJitters) {
    jitter_ = jitter;
    Eigen::MatrixXd shifted = covariance;
    shifted.diagonal().array() += jitter * scale;
    const Eigen::LLT<Eigen::MatrixXd> llt(shifted);
    if (llt.info() != Eigen::Success) continue;
    factor_ = llt.matrixL();
    // A pivot that rounding alone keeps above zero would blow up what is solved with it.
    constexpr double kLeastPivot = 1e-13;
    const bool is_safe = factor_.allFinite() && (size() == 0 || factor_.diagonal().cwiseAbs2().minCoeff() > kLeastPivot * scale);
    if (!is_safe) continue;
    is_ok_ = true;
    solve();
    return;
  }
}

void GaussianProcess::solve() {
  const auto lower = factor_.topLeftCorner(size(), size()).triangularView<Eigen::Lower>();
  weights_ = lower.solve(data_.targets);
  lower.transpose().solveInPlace(weights_);
}

// The new last row of the factor: l = L^-1 k, its diagonal sqrt(k(x, x) + noise - |l|^2).
void GaussianProcess::append(const policies::Candidate& candidate, double target, double noise) {
  LATHE_CHECK(is_ok_);
  const Eigen::Index n = size();
  if (factor_.rows() <= n) {
    Eigen::MatrixXd larger = Eigen::MatrixXd::Zero(n + n / 4 + 16, n + n / 4 + 16);
    larger.topLeftCorner(n, n) = factor_.topLeftCorner(n, n);
    factor_ = std::move(larger);
  }
  Eigen::VectorXd row(n);
  for (Eigen::Index i = 0; i < n; ++i) row(i) = kernel_.value(kernel_.sums(candidate.choices, data_.rows.row(i)));
  factor_.topLeftCorner(n, n).triangularView<Eigen::Lower>().solveInPlace(row);
  const double diagonal = kernel_.variance() * (1 + jitter_) + noise + extra_noise_;
  factor_.row(n).head(n) = row.transpose();
  factor_(n, n) = std::sqrt(std::max(diagonal - row.squaredNorm(), 1e-12 * diagonal));
  data_.rows.append(candidate);
  data_.targets.conservativeResize(n + 1);
  data_.noise.conservativeResize(n + 1);
  data_.targets(n) = target;
  data_.noise(n) = noise;
  solve();
}

GpPrediction GaussianProcess::predict(const policies::Candidate& candidate) const {
  Eigen::MatrixXd cross(size(), 1);
  for (Eigen::Index i = 0; i < size(); ++i) cross(i, 0) = kernel_.value(kernel_.sums(candidate.choices, data_.rows.row(i)));
  return predict(cross).front();
}

std::vector<GpPrediction> GaussianProcess::predict(Eigen::MatrixXd& cross) const {
  LATHE_CHECK(is_ok_);
  const Eigen::VectorXd means = cross.transpose() * weights_;
  factor_.topLeftCorner(size(), size()).triangularView<Eigen::Lower>().solveInPlace(cross);
  std::vector<GpPrediction> predictions;
  for (Eigen::Index c = 0; c < cross.cols(); ++c) {
    const double variance = kernel_.variance() - cross.col(c).squaredNorm();
    predictions.push_back({means(c), std::sqrt(std::max(variance, 1e-10 * kernel_.variance()))});
  }
  return predictions;
}

// K weights = targets - (all noise) weights.
Eigen::VectorXd GaussianProcess::smoothed() const {
  return data_.targets - ((data_.noise.array() + extra_noise_ + jitter_ * kernel_.variance()) * weights_.array()).matrix();
}

}  // namespace lathe::search
