#include "hwmodels/calibration/hierarchical_prior.h"

#include <Eigen/QR>
#include <algorithm>
#include <cmath>
#include <vector>

#include "models/base/check.h"

namespace lathe::hwmodels {
namespace {

using Eigen::MatrixXd;
using Eigen::VectorXd;

struct DeviceFit {
  const Observations* data;
  Gaussian coefficients;
  double noise;
  VectorXd weights;  // of the Student t likelihood
};

// Least squares, the smallest coefficients where the data do not determine them.
DeviceFit first_fit(const Observations& data) {
  const VectorXd b = data.x.completeOrthogonalDecomposition().solve(data.y);
  const double spread = std::sqrt((data.y - data.x * b).squaredNorm() / static_cast<double>(data.y.size()));
  return {&data, {b, MatrixXd::Zero(b.size(), b.size())}, spread, VectorXd::Ones(data.y.size())};
}

void refit(const Gaussian& prior, double smallest_noise, DeviceFit& device) {
  const auto& [x, y] = *device.data;
  device.coefficients = condition(prior, x, y, device.noise * device.noise * device.weights.cwiseInverse()).coefficients;
  const VectorXd residual = y - x * device.coefficients.mean;
  device.noise = std::max(smallest_noise, std::sqrt(device.weights.dot(residual.cwiseAbs2()) / static_cast<double>(y.size())));
  device.weights = (kStudentDegrees + 1) / (kStudentDegrees + (residual / device.noise).array().square());
}

Gaussian spread_of(const std::vector<DeviceFit>& devices, double diagonal_share) {
  const double count = static_cast<double>(devices.size());
  const auto size = devices.front().coefficients.mean.size();
  Gaussian prior{VectorXd::Zero(size), MatrixXd::Zero(size, size)};
  for (const DeviceFit& device : devices) prior.mean += device.coefficients.mean / count;
  for (const DeviceFit& device : devices) {
    const VectorXd off = device.coefficients.mean - prior.mean;
    prior.covariance += (device.coefficients.covariance + off * off.transpose()) / count;
  }
  const VectorXd variances = prior.covariance.diagonal();
  prior.covariance *= 1 - diagonal_share;
  prior.covariance.diagonal() = variances;
  return prior;
}

NoiseBelief noise_of(const std::vector<DeviceFit>& devices, double smallest_log_spread) {
  const double count = static_cast<double>(devices.size());
  double mean = 0, variance = 0;
  for (const DeviceFit& device : devices) mean += std::log(device.noise) / count;
  for (const DeviceFit& device : devices) variance += std::pow(std::log(device.noise) - mean, 2) / count;
  return {mean, std::max(smallest_log_spread, std::sqrt(variance))};
}

}  // namespace

HierarchicalPrior learn_prior(std::span<const Observations> devices, const HierarchyOptions& options) {
  LATHE_CHECK(!devices.empty()) << "a prior needs at least one device";
  std::vector<DeviceFit> fits;
  for (const Observations& data : devices) {
    fits.push_back(first_fit(data));
    fits.back().noise = std::max(options.smallest_noise, fits.back().noise);
  }
  Gaussian prior = spread_of(fits, options.diagonal_share);
  // One device shows no spread: its coefficients are believed to their own size.
  if (devices.size() == 1) prior.covariance.diagonal() += prior.mean.cwiseAbs2();
  for (int i = 0; i < options.iterations && devices.size() > 1; ++i) {
    for (DeviceFit& device : fits) refit(prior, options.smallest_noise, device);
    prior = spread_of(fits, options.diagonal_share);
  }
  return {prior, noise_of(fits, options.smallest_log_spread)};
}

}  // namespace lathe::hwmodels
