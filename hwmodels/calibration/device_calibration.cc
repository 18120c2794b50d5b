#include "hwmodels/calibration/device_calibration.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>
#include <utility>

#include "hwmodels/calibration/gaussian_regression.h"
#include "hwmodels/hardware_model.h"

namespace lathe::hwmodels {
namespace {

constexpr int kFolds = 5;
constexpr double kFirstNoise = 0.08;  // relative; the model's own error on a network, before it is known
constexpr double kSmallestNoise = 0.005, kLargestNoise = 0.5;
constexpr double kDeviationsOfMedian = 1.4826;  // standard deviation over median absolute deviation, normal distribution
constexpr double kSensitivityStep = 1e-3;       // of a parameter's logarithm

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

// Log errors of measurements that the fit did not see: each fold is predicted from the others.
std::vector<double> cross_validated_log_errors(const DeviceSpec& device, const std::vector<LatencyMeasurement>& measurements,
                                               const ParameterFitOptions& options) {
  const std::size_t folds = std::min<std::size_t>(kFolds, measurements.size());
  std::vector<double> errors;
  for (std::size_t fold = 0; fold < folds; ++fold) {
    std::vector<LatencyMeasurement> kept, left_out;
    for (std::size_t i = 0; i < measurements.size(); ++i) (i % folds == fold ? left_out : kept).push_back(measurements[i]);
    const DeviceSpec fitted = kept.empty() ? device : fit_parameters(device, kept, options).device;
    const auto model = make_hardware_model(fitted);
    for (const LatencyMeasurement& measurement : left_out)
      errors.push_back(std::log(model->predict(measurement.workload).latency_ms / measurement.latency_ms));
  }
  return errors;
}

double noise_of(const std::vector<double>& log_errors) {
  std::vector<double> sizes;
  for (const double error : log_errors) sizes.push_back(std::abs(error));
  return std::clamp(kDeviationsOfMedian * median(std::move(sizes)), kSmallestNoise, kLargestNoise);
}

double median_relative_error(const std::vector<double>& log_errors) {
  std::vector<double> errors;
  for (const double error : log_errors) errors.push_back(std::abs(std::expm1(error)));
  return median(std::move(errors));
}

std::string percent(double share) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %%", 100 * share);
  return text.data();
}

// The file's own account of a fitted number: how sure it is, and what it was before.
void write_provenance(const DeviceSpec& before, const std::string& measured, DeviceCalibration& calibration) {
  DeviceSpec& device = calibration.fit.device;
  device.is_calibrated = true;
  device.latency_log_deviation = calibration.noise;
  device.calibration = measured + "; cross-validated median error " + percent(calibration.cross_validated_error);
  for (const FittedParameter& parameter : calibration.parameters) {
    std::array<char, 64> was{};
    std::snprintf(was.data(), was.size(), "%.6g", before.at(parameter.key));
    const auto source = before.sources.find(parameter.key);
    device.sources[parameter.key] = "fitted to " + measured + ", standard error " +
                                    percent(calibration.fit.relative_errors.at(parameter.key)) + "; was " + was.data() + ": " +
                                    (source == before.sources.end() ? "" : source->second);
  }
}

double latency_ms(const DeviceSpec& device, const policies::Workload& workload) {
  return make_hardware_model(device)->predict(workload).latency_ms;
}

// Derivatives of the logarithm of latency by those of the parameters: a row a workload.
Eigen::MatrixXd sensitivities(const DeviceSpec& device, const std::vector<FittedParameter>& parameters,
                              const std::vector<policies::Workload>& workloads) {
  Eigen::MatrixXd result(static_cast<Eigen::Index>(workloads.size()), static_cast<Eigen::Index>(parameters.size()));
  for (Eigen::Index j = 0; j < result.cols(); ++j) {
    DeviceSpec moved = device;
    moved.parameters[parameters[static_cast<std::size_t>(j)].key] *= std::exp(-kSensitivityStep);
    for (Eigen::Index i = 0; i < result.rows(); ++i) {
      const policies::Workload& workload = workloads[static_cast<std::size_t>(i)];
      result(i, j) = std::log(latency_ms(device, workload) / latency_ms(moved, workload)) / kSensitivityStep;
    }
  }
  return result;
}

}  // namespace

std::optional<double> data_sheet_log_spread(const std::string& key) {
  struct Belief {
    const char* ending;
    double log_spread;
  };
  // Rates at a clock are nearly exact, sustained bandwidths are good to a third, kernels' shares of the peak and overheads are estimates.
  constexpr Belief kBeliefs[] = {{"clock_hz", 0.05},    {"_macs_per_cycle", 0.1}, {"_weights_per_cycle", 0.5}, {"_per_cycle", 0.3},
                                 {"_efficiency", 0.4},  {"_overlap", 0.5},        {"_overhead_s", 0.8},        {"_overhead_k", 0.5},
                                 {"_bytes_per_s", 0.3}, {"_elements_per_s", 0.5}};
  for (const Belief& belief : kBeliefs) {
    if (key.ends_with(belief.ending)) return belief.log_spread;
  }
  return std::nullopt;
}

std::vector<FittedParameter> fitted_parameters(const DeviceSpec& device) {
  std::vector<FittedParameter> parameters;
  for (const auto& [key, value] : device.parameters) {
    if (const auto log_spread = data_sheet_log_spread(key)) parameters.push_back({key, *log_spread});
  }
  return parameters;
}

DeviceCalibration calibrate_device(const DeviceSpec& device, const std::vector<LatencyMeasurement>& measurements,
                                   const std::string& source) {
  ParameterFitOptions options{.parameters = fitted_parameters(device), .noise = kFirstNoise};
  // How far the model is off decides how much the measurements weigh against the data sheet; fewer than a fold each do not tell.
  if (measurements.size() >= kFolds) options.noise = noise_of(cross_validated_log_errors(device, measurements, options));
  const std::vector<double> log_errors = cross_validated_log_errors(device, measurements, options);
  DeviceCalibration calibration{.fit = fit_parameters(device, measurements, options),
                                .parameters = options.parameters,
                                .noise = noise_of(log_errors),
                                .cross_validated_error = median_relative_error(log_errors)};
  for (std::size_t i = 0; i < measurements.size(); ++i) {
    if (std::abs(calibration.fit.log_errors[i]) > kOutlierDeviations * calibration.noise)
      calibration.outliers.push_back(static_cast<int>(i));
  }
  write_provenance(device, std::to_string(measurements.size()) + " measurements of " + source, calibration);
  return calibration;
}

std::vector<ProposedMeasurement> propose_networks(const DeviceCalibration& calibration, const std::vector<policies::Workload>& candidates,
                                                  int count) {
  const Eigen::MatrixXd features = sensitivities(calibration.fit.device, calibration.parameters, candidates);
  return propose_measurements(calibration.fit.covariance, features, calibration.noise, count);
}

std::vector<ProposedMeasurement> propose_networks(const DeviceSpec& device, const std::vector<policies::Workload>& candidates, int count) {
  const std::vector<FittedParameter> parameters = fitted_parameters(device);
  Eigen::VectorXd variances(static_cast<Eigen::Index>(parameters.size()));
  for (Eigen::Index i = 0; i < variances.size(); ++i) variances[i] = std::pow(parameters[static_cast<std::size_t>(i)].log_spread, 2);
  return propose_measurements(variances.asDiagonal(), sensitivities(device, parameters, candidates), kFirstNoise, count);
}

}  // namespace lathe::hwmodels
