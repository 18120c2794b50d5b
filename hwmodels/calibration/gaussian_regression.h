// Linear regression with a Gaussian prior over the coefficients, in closed form (C. M. Bishop, Pattern Recognition and Machine Learning,
// 2006, section 3.3), and the same with a Student t likelihood, which a few wild measurements do not bend.
#pragma once

#include <Eigen/Core>
#include <vector>

namespace lathe::hwmodels {

struct Gaussian {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};

struct LinearPosterior {
  Gaussian coefficients;
  double log_evidence = 0;  // log p(y | x), to compare hypotheses
};

// y = x b + e with b ~ prior and e_i ~ N(0, noise_variance_i). x: a row a measurement. The prior's covariance may be singular.
LinearPosterior condition(const Gaussian& prior, const Eigen::MatrixXd& x, const Eigen::VectorXd& y, const Eigen::VectorXd& noise_variance);

// What is believed of the noise's standard deviation before measuring: its logarithm is normal.
struct NoiseBelief {
  double log_mean = -3;  // e^-3 = 5 %
  double log_spread = 1;
};

// Degrees of freedom of the Student t likelihood; 4 has finite variance and a tail that forgives residuals of ten standard deviations.
inline constexpr double kStudentDegrees = 4;
// A measurement this many standard deviations off is named an outlier.
inline constexpr double kOutlierDeviations = 4;

struct RobustPosterior {
  Gaussian coefficients;
  double noise = 0;  // scale of the Student t errors
  double log_evidence = 0;
  Eigen::VectorXd deviations;         // residuals in units of the noise
  std::vector<int> outliers() const;  // indices of rows
};

// e_i ~ noise * Student t. The noise is the most probable of a grid; for each, weights and coefficients are found by the
// expectation-maximization of the t distribution as a scale mixture (K. Lange et al., JASA 84, 1989).
RobustPosterior condition_robustly(const Gaussian& prior, const NoiseBelief& noise, const Eigen::MatrixXd& x, const Eigen::VectorXd& y);

}  // namespace lathe::hwmodels
