// The prior of a device that was never measured, learned from others (empirical Bayes): each device d has y_d = x_d b_d + noise_d e with
// its own coefficients b_d ~ N(mean, covariance) and noise; mean and covariance are found by expectation-maximization (A. Gelman et al.,
// Bayesian Data Analysis, 3rd edition, chapter 15).
#pragma once

#include <Eigen/Core>
#include <span>

#include "hwmodels/calibration/gaussian_regression.h"

namespace lathe::hwmodels {

struct Observations {
  Eigen::MatrixXd x;  // a row a measurement
  Eigen::VectorXd y;
};

struct HierarchicalPrior {
  Gaussian coefficients;
  NoiseBelief noise;
};

struct HierarchyOptions {
  int iterations = 30;
  // Correlations that a handful of devices show are shrunk by this share towards none.
  double diagonal_share = 0.2;
  double smallest_noise = 1e-3;
  // Devices are few: their noise is not believed to be better known than by this spread of its logarithm.
  double smallest_log_spread = 0.5;
};

// At least one device; all have the same columns.
HierarchicalPrior learn_prior(std::span<const Observations> devices, const HierarchyOptions& options = {});

}  // namespace lathe::hwmodels
