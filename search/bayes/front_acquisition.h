// What a candidate is worth to one front: the expected hypervolume improvement over the front as it is believed to be, times the
// probability that the measured limits are kept. Exact metrics enter as they are, measured ones as beliefs.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "search/bayes/surrogate.h"

namespace lathe::search {

class FrontAcquisition {
 public:
  // posteriors: one for each measured metric, all on the same candidates; at least one. All references must outlive it.
  FrontAcquisition(const Problem& problem, const Front& front, std::span<const Posterior> posteriors);

  std::span<const Posterior> posteriors() const { return posteriors_; }
  // Rows of the posteriors that lie on the believed front; while none keeps the limits, the row that is nearest to keeping them.
  const std::vector<int>& elite() const { return elite_; }

  // The candidate's metrics (NaN for measured ones), if it keeps the exact limits and is not beyond the reference in an exact coordinate.
  std::optional<std::vector<double>> exact_metrics(const policies::Candidate& candidate) const;
  // log of the acquisition function; -inf if nothing can be gained. beliefs: one for each posterior.
  double log_value(const std::vector<double>& exact_metrics, std::span<const Belief> beliefs) const;

 private:
  // A metric, turned to be minimized.
  struct Coordinate {
    int metric;
    double sign;         // -1 where the metric is maximized
    int posterior = -1;  // -1 = exact
  };
  struct Limit {
    Coordinate coordinate;
    double most;  // of sign * metric
  };
  Coordinate coordinate_of(int metric) const;
  double believed(const Coordinate& coordinate, double value) const;
  Belief minimized(const Coordinate& coordinate, const std::vector<double>& exact_metrics, std::span<const Belief> beliefs) const;
  void find_front(const std::vector<std::vector<Belief>>& beliefs_at_data);
  int nearest_row(const std::vector<std::vector<Belief>>& beliefs_at_data) const;

  const Problem& problem_;
  const Front& front_;
  std::span<const Posterior> posteriors_;
  std::vector<Coordinate> objectives_;
  std::vector<Limit> limits_;  // of measured metrics
  Point reference_;            // minimized; not beyond the limits of the objectives
  std::vector<int> elite_;
  std::optional<HypervolumeImprovement> improvement_;
};

}  // namespace lathe::search
