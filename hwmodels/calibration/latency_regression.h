// Latency as a sum of physical terms (kernels started, multiply-accumulates, bytes), with coefficients that a few measurements of a device
// and the coefficients of other devices determine together:
//
//     latency = s * (x . c) * (1 + e),    c ~ N(m, C) over devices,    log s ~ anything
//
// The scale s says how fast the device is, the shape c what its time goes into; shapes of devices resemble each other more than their
// speeds do, so they carry over. Errors are relative. A free scale is one more direction of the prior, c ~ N(m, C + t^2 m m^T), which
// keeps the update in closed form.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

#include "hwmodels/calibration/hierarchical_prior.h"

namespace lathe::hwmodels {

// Measurements of one device.
struct LatencyRows {
  Eigen::MatrixXd features;    // a row a network; the terms, without coefficients
  Eigen::VectorXd latency_ms;  // above 0
};

// In units of a device's median latency.
HierarchicalPrior learn_latency_prior(std::span<const LatencyRows> devices, const HierarchyOptions& options = {});

struct LatencyEstimate {
  double latency_ms = 0;
  double deviation_ms = 0;  // standard deviation of one further measurement
};

struct CalibratedLatency {
  Gaussian coefficients;      // ms a unit of each feature
  double relative_noise = 0;  // scale of the Student t error of a measurement over its latency
  double log_evidence = 0;    // to compare hypotheses about the features
  std::vector<int> outliers;  // measurements that the model disbelieves

  Eigen::VectorXd predict_ms(const Eigen::MatrixXd& features) const;
  LatencyEstimate estimate(const Eigen::VectorXd& features) const;
};

// At least one measurement.
CalibratedLatency calibrate_latency(const HierarchicalPrior& prior, const LatencyRows& measured);

}  // namespace lathe::hwmodels
