// What simple predictors reach on the same devices, rows and draws.
#pragma once

#include <vector>

#include "bench/hardware_truth/few_measurements.h"

namespace lathe::bench {

// Multiply-accumulates, scaled by the median ratio to the measured rows.
Agreement macs_baseline(const std::vector<double>& macs, const MeasuredDevice& device, const FewMeasurementsOptions& options);

// The mean over other devices of an architecture's rank; needs no measurement. Spearman over the architectures that all of them have.
double mean_rank_baseline(const MeasuredDevice& device, const std::vector<const MeasuredDevice*>& others);

// A Bayesian linear model that knows nothing of other devices: coefficients of the standardized features ~ N(0, 1) in units of the mean
// latency, noise of 10 %.
Agreement linear_baseline(const Eigen::MatrixXd& features, const MeasuredDevice& device, const FewMeasurementsOptions& options);

}  // namespace lathe::bench
