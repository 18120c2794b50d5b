// Which networks to measure next: those whose measurements together tell most about the coefficients (greedy D-optimal design; the
// information of a set is submodular, so greedy choice is within 1 - 1/e of the best set: A. Krause et al., JMLR 9, 2008).
#pragma once

#include <Eigen/Core>
#include <vector>

#include "hwmodels/calibration/gaussian_regression.h"

namespace lathe::hwmodels {

struct ProposedMeasurement {
  int candidate = 0;            // row of the candidates
  double information_nats = 0;  // about the coefficients, given those before it
};

// candidates: a row of features a network, in units in which one measurement has standard deviation `noise`. At most `count`, best first.
std::vector<ProposedMeasurement> propose_measurements(const Eigen::MatrixXd& covariance, const Eigen::MatrixXd& candidates, double noise,
                                                      int count);

}  // namespace lathe::hwmodels
