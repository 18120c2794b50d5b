// What a progress line tells of a running search.
#pragma once

#include <string>
#include <vector>

#include "search/problem.h"
#include "search/trial.h"

namespace lathe::experiments {

class BestSoFar {
 public:
  // float_latency: of each front's device. least_accuracy: that a recommended policy must have. The problem must outlive it.
  BestSoFar(const search::Problem& problem, std::vector<double> float_latency, double least_accuracy);
  void add(const search::Trial& trial);
  // "raspberry-pi-4 2.31x, nvidia-t4 1.40x; hypervolume 0.412": the largest speed-up within the loss, and the mean over devices of the
  // hypervolume as a share of the reference box (no cost, all accuracy).
  std::string to_string() const;

 private:
  const search::Problem& problem_;
  std::vector<double> float_latency_;
  double least_accuracy_;
  std::vector<std::vector<search::Trial>> fronts_;  // non-dominated trials of each front
};

// A front's hypervolume divided by the box between its reference point and the ideal (accuracy 1, cost 0), so that devices compare.
double hypervolume_share(const search::Problem& problem, const search::Front& front, const std::vector<search::Trial>& trials);

}  // namespace lathe::experiments
