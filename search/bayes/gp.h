// Exact Gaussian-process regression. C. E. Rasmussen, C. K. I. Williams, Gaussian Processes for Machine Learning, 2006, algorithm 2.1.
#pragma once

#include <Eigen/Core>
#include <vector>

#include "search/bayes/kernel.h"

namespace lathe::search {

struct GpParameters {
  KernelParameters kernel;
  double log_noise = 0;  // log of the variance that is added to each observation's own
};

struct GpData {
  CandidateRows rows;
  Eigen::VectorXd targets;  // [n], about zero mean and unit variance
  Eigen::VectorXd noise;    // [n], known variance of each target, in its units
};

struct GpPrediction {
  double mean = 0, stddev = 0;  // of the noise-free function
};

// The posterior for fixed parameters. Copyable: fantasies are appended to a copy.
class GaussianProcess {
 public:
  GaussianProcess(const std::vector<std::vector<double>>& positions, GpData data, const GpParameters& parameters);

  // False where the covariance could not be factorized even with the largest jitter; nothing else may be called then.
  bool is_ok() const { return is_ok_; }
  double jitter() const { return jitter_; }  // what was added to the diagonal, relative to its mean
  Eigen::Index size() const { return data_.rows.size(); }
  const Kernel& kernel() const { return kernel_; }
  const CandidateRows& rows() const { return data_.rows; }

  // Adds an observation in O(n^2).
  void append(const policies::Candidate& candidate, double target, double noise);

  GpPrediction predict(const policies::Candidate& candidate) const;
  // Predictions for columns of covariances with the data. cross: n x m; it is overwritten.
  std::vector<GpPrediction> predict(Eigen::MatrixXd& cross) const;
  // Posterior mean at the data.
  Eigen::VectorXd smoothed() const;

 private:
  void solve();
  Kernel kernel_;
  GpData data_;
  double extra_noise_;
  Eigen::MatrixXd factor_;   // lower triangle of the Cholesky factor, top left n x n of a larger square
  Eigen::VectorXd weights_;  // K^-1 targets
  double jitter_ = 0;
  bool is_ok_ = false;
};

// Minus the log of likelihood x prior (up to a constant), and its gradient in the order of `pack`, if not null. Infinite where the
// covariance cannot be factorized.
// Priors: log l_d ~ N(0.5, 1), log a and log p ~ N(-0.7, 1.5), log noise ~ N(-6, 1.5); where no observation has noise of its own log l_d ~
// N(0.5, 0.5) and log noise ~ N(-10, 1.5). Targets have unit variance.
double negative_log_posterior(const std::vector<std::vector<double>>& positions, const GpData& data, const GpParameters& parameters,
                              Eigen::VectorXd* gradient);
// Of the warping log a and log b ~ N(0, 0.5): around none.
Eigen::VectorXd pack(const GpParameters& parameters);  // log_additive, log_product, log_noise, log_lengths, log_a, log_b
GpParameters unpack(const Eigen::VectorXd& packed, int decisions);
GpParameters prior_parameters(int decisions, bool is_noisy, bool is_warped = false);  // the prior's medians

// Maximizes the posterior from `start` by at most `iterations` of Ceres' L-BFGS. Returns the start where nothing better was found.
GpParameters fit(const std::vector<std::vector<double>>& positions, const GpData& data, const GpParameters& start, int iterations);

}  // namespace lathe::search
