// The protocol of the sections that ask what a few measurements are worth: a prior from other devices, a handful of random measurements of
// the device, and agreement with its measurements of all other architectures, averaged over draws.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/hardware_truth/measured_space.h"
#include "hwmodels/calibration/latency_regression.h"

namespace lathe::bench {

struct FewMeasurementsOptions {
  int measurements = 10;
  int draws = 20;
  // Architectures of each device that teach the prior, drawn at random: more change nothing.
  int prior_rows = 1000;
  std::uint64_t seed = 0;
};

// Learned from other devices, each by the runtime that explains it best; it holds for every runtime.
hwmodels::HierarchicalPrior learn_space_prior(const MeasuredSpace& space, const std::vector<const MeasuredDevice*>& devices,
                                              const FewMeasurementsOptions& options);

struct Agreement {
  double spearman = 0;
  double median_error_percent = 0;
  double covered_percent = 0;  // measurements inside of their 90 % interval
};

// Indices into device.rows that are measured in a draw, and all others.
struct Draw {
  std::vector<int> measured, others;
};
Draw draw_rows(const MeasuredDevice& device, const FewMeasurementsOptions& options, int draw);

Agreement evaluate_device(const MeasuredSpace& space, const MeasuredDevice& device, const hwmodels::HierarchicalPrior& prior,
                          const FewMeasurementsOptions& options);

Agreement mean_agreement(std::span<const Agreement> agreements);

std::vector<double> to_vector(const Eigen::VectorXd& values);

}  // namespace lathe::bench
