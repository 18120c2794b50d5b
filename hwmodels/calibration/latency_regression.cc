#include "hwmodels/calibration/latency_regression.h"

#include <Eigen/QR>
#include <algorithm>
#include <cmath>

#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

constexpr double kScaleSpread = 0.5;  // t: how far off the current scale may be, in its units
constexpr int kScaleIterations = 6;
constexpr double kLargestScaleStep = 2;  // either way

double median(VectorXd values) {
  std::sort(values.begin(), values.end());
  const auto n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

// Relative errors: each row divided by its latency, so that the measurement is 1.
Observations relative_rows(const LatencyRows& rows, double scale_ms) {
  return {(scale_ms * rows.latency_ms.cwiseInverse()).asDiagonal() * rows.features, VectorXd::Ones(rows.latency_ms.size())};
}

}  // namespace

HierarchicalPrior learn_latency_prior(std::span<const LatencyRows> devices, const HierarchyOptions& options) {
  std::vector<Observations> observations;
  for (const LatencyRows& device : devices) observations.push_back(relative_rows(device, median(device.latency_ms)));
  return learn_prior(observations, options);
}

CalibratedLatency calibrate_latency(const HierarchicalPrior& prior, const LatencyRows& measured) {
  LATHE_CHECK_GT(measured.latency_ms.size(), 0);
  LATHE_CHECK_GT(measured.latency_ms.minCoeff(), 0.0);
  const Gaussian& shape = prior.coefficients;
  const Gaussian free_scale{shape.mean, shape.covariance + kScaleSpread * kScaleSpread * shape.mean * shape.mean.transpose()};
  const VectorXd shape_direction = shape.covariance.completeOrthogonalDecomposition().solve(shape.mean);
  double scale_ms = median(measured.latency_ms.cwiseQuotient((measured.features * shape.mean).cwiseMax(1e-3)));
  RobustPosterior posterior;
  double fitted_scale_ms = scale_ms;
  for (int i = 0; i < kScaleIterations; ++i) {
    const Observations rows = relative_rows(measured, scale_ms);
    posterior = condition_robustly(free_scale, prior.noise, rows.x, rows.y);
    fitted_scale_ms = scale_ms;
    // The multiple of the mean shape that is nearest to the fit in the metric of the shapes' covariance is where the scale should be.
    const double step = posterior.coefficients.mean.dot(shape_direction) / shape.mean.dot(shape_direction);
    scale_ms *= std::clamp(step, 1 / kLargestScaleStep, kLargestScaleStep);
  }
  return {.coefficients = {fitted_scale_ms * posterior.coefficients.mean,
                           fitted_scale_ms * fitted_scale_ms * posterior.coefficients.covariance},
          .relative_noise = posterior.noise,
          .log_evidence = posterior.log_evidence,
          .outliers = posterior.outliers()};
}

VectorXd CalibratedLatency::predict_ms(const MatrixXd& features) const {
  return features * coefficients.mean;
}

LatencyEstimate CalibratedLatency::estimate(const VectorXd& features) const {
  const double latency_ms = features.dot(coefficients.mean);
  const double noise_ms = relative_noise * latency_ms;
  // The variance of a Student t distribution is above the square of its scale.
  const double noise_variance = noise_ms * noise_ms * kStudentDegrees / (kStudentDegrees - 2);
  return {latency_ms, std::sqrt(features.dot(coefficients.covariance * features) + noise_variance)};
}

}  // namespace lathe::hwmodels
