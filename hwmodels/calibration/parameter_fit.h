// Fits physical parameters of a device to measured latencies: the most probable values given a log-normal prior around the device file,
//
//     minimize over p   sum_i rho(log(predicted_i(p) / measured_i) / noise) + sum_j (log(p_j / start_j) / spread_j)^2
//
// by Levenberg-Marquardt (Ceres). rho is the pseudo-Huber loss (P. Charbonnier et al., IEEE Trans. Image Processing 6, 1997): a few wild
// measurements do not bend the fit.
#pragma once

#include <Eigen/Core>
#include <map>
#include <string>
#include <vector>

#include "hwmodels/device_spec.h"
#include "policies/workload.h"

namespace lathe::hwmodels {

struct LatencyMeasurement {
  policies::Workload workload;
  double latency_ms = 0;
  // Parameters that the device lacked while this was measured: {"tf32_macs_per_cycle"} where TF32 was switched off.
  std::vector<std::string> lacked_parameters;
  bool operator==(const LatencyMeasurement&) const = default;
};

struct FittedParameter {
  std::string key;
  double log_spread = 0.5;  // standard deviation of the logarithm before measuring; 0.5 = within a factor of 1.6
};

struct ParameterFitOptions {
  std::vector<FittedParameter> parameters;
  double noise = 0.08;       // relative, of one measurement and the model together
  double robust_from = 2.5;  // deviations from which a residual counts less than its square
  // A constant time of each measurement beside the network (the start of a CUDA graph); not fitted where 0.
  double start_offset_ms = 0;
  double offset_log_spread = 0.5;
  int iterations = 25;
};

struct ParameterFit {
  DeviceSpec device;                              // with the fitted parameters
  double offset_ms = 0;                           // beside each network
  std::map<std::string, double> relative_errors;  // standard error of each parameter
  Eigen::MatrixXd covariance;                     // of the parameters' logarithms, in the order of the options; the offset last
  std::vector<double> log_errors;                 // log(predicted / measured) of each measurement
  double median_error = 0;                        // relative, on the measurements themselves
};

// The device's model must be additive, every parameter one that its file gives. Shares stay at most 1. At least one measurement.
ParameterFit fit_parameters(const DeviceSpec& device, const std::vector<LatencyMeasurement>& measurements,
                            const ParameterFitOptions& options);

}  // namespace lathe::hwmodels
