#include "hwmodels/calibration/experiment_design.h"

#include <algorithm>
#include <cmath>

#include "models/base/check.h"

namespace lathe::hwmodels {

std::vector<ProposedMeasurement> propose_measurements(const Eigen::MatrixXd& covariance, const Eigen::MatrixXd& candidates, double noise,
                                                      int count) {
  LATHE_CHECK_GT(noise, 0.0);
  Eigen::MatrixXd remaining = covariance;  // of the coefficients, after the measurements chosen so far
  std::vector<ProposedMeasurement> chosen;
  std::vector<char> is_taken(static_cast<std::size_t>(candidates.rows()), 0);
  while (static_cast<int>(chosen.size()) < std::min<int>(count, static_cast<int>(candidates.rows()))) {
    Eigen::VectorXd variances = (candidates * remaining).cwiseProduct(candidates).rowwise().sum();
    for (int i = 0; i < variances.size(); ++i) {
      if (is_taken[static_cast<std::size_t>(i)] != 0) variances[i] = -1;
    }
    Eigen::Index best = 0;
    const double variance = variances.maxCoeff(&best);
    is_taken[static_cast<std::size_t>(best)] = 1;
    chosen.push_back({static_cast<int>(best), 0.5 * std::log1p(variance / (noise * noise))});
    // Rank-one update of the covariance by one measurement.
    const Eigen::VectorXd gain = remaining * candidates.row(best).transpose();
    remaining -= gain * gain.transpose() / (variance + noise * noise);
  }
  return chosen;
}

}  // namespace lathe::hwmodels
