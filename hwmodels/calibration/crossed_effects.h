// What is left of measurements after a model's prediction, as a sum of effects that measurements share (crossed random effects, a linear
// mixed model in closed form): those of one board, of one network on all boards, of one engine on all cores, ...
//
//     y_i = sum over effects t of  b_t[group_t(i)] . features_t(i)  + e_i,     b_t[g] ~ N(0, scale_t^2 I),  e_i ~ noise * Student t
//
// so that y is Gaussian with covariance K_ij = sum_t scale_t^2 [group_t(i) = group_t(j)] features_t(i) . features_t(j)
// (J. C. Pinheiro and D. M. Bates, Mixed-Effects Models in S and S-PLUS, 2000, chapter 2). A board or a network that was never measured
// has effects of mean 0; a few measurements say more. Leaving rows out needs no new fit: with P the inverse of K + noise, what the other
// rows say of rows T is N(y_T - P_TT^-1 (P y)_T, P_TT^-1) (C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine
// Learning, 2006, equations 5.10 to 5.12, for one row).
#pragma once

#include <Eigen/Core>
#include <vector>

#include "hwmodels/calibration/gaussian_regression.h"

namespace lathe::hwmodels {

struct Effect {
  double scale = 1;
  std::vector<int> group;    // of each row; empty: all rows share the effect
  Eigen::MatrixXd features;  // a row a measurement; no columns: a constant
};

// Groups of rows that agree in both.
std::vector<int> joint_groups(const std::vector<int>& a, const std::vector<int>& b);
// Products of each column of `a` with each of `b`, row by row: effects that depend on both.
Eigen::MatrixXd feature_products(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b);

// K of the header; all effects have `rows` rows.
Eigen::MatrixXd effects_covariance(const std::vector<Effect>& effects, int rows);

class CrossedEffects {
 public:
  // noise: standard deviation of an ordinary row. Rows that the others contradict weigh less (Student t).
  CrossedEffects(const std::vector<Effect>& effects, Eigen::VectorXd y, double noise);

  // What all other rows say of the sum of the effects in `rows`, noise excluded.
  Gaussian leave_out(const std::vector<int>& rows) const;
  double noise() const { return noise_; }

 private:
  Eigen::VectorXd y_, variance_, weighted_;  // variance_: of each row's noise; weighted_: P y
  Eigen::MatrixXd precision_;                // P
  double noise_;
};

// `belief` about a list of values after `measured` of them were seen as `y`, with Student t noise.
Gaussian observe(const Gaussian& belief, const std::vector<int>& measured, const Eigen::VectorXd& y, double noise);

}  // namespace lathe::hwmodels
