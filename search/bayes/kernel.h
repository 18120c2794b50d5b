// Covariance of a metric between two candidates: a sum over decisions (accuracy losses of layers nearly add up) plus one term in which all
// decisions interact,
//   k(x, x') = a (1/D) sum_d M(u_d) + p M(r),   u_d = |z_d - z'_d| / l_d,   r^2 = (1/D) sum_d u_d^2,
//   M(u) = (1 + sqrt(5) u + 5 u^2 / 3) exp(-sqrt(5) u)                 (Matern 5/2; Rasmussen and Williams 2006, eq. 4.17)
// with z_d in [0, 1] the position of the decision's value. The 1/D in r scales length scales with sqrt(D), so that one prior of l_d suits
// 5 as well as 150 decisions (C. Hvarfner, E. O. Hellsten, L. Nardi, Vanilla Bayesian Optimization Performs Great in High Dimensions,
// ICML 2024; theirs puts sqrt(D) into the prior). A decision that does not matter gets a long l_d. Decisions have few values, so
// everything for one decision is a table over pairs of values, and a covariance costs two look-ups a decision.
//
// With input warping z_d is w(z; a_d, b_d) = 1 - (1 - z^a_d)^b_d, the cumulative Kumaraswamy distribution in place of the Beta's (J. Snoek,
// K. Swersky, R. Zemel, R. P. Adams, Input Warping for Bayesian Optimization of Non-Stationary Functions, ICML 2014, section 3), so that a
// metric may change fast at one end of a decision and slowly at the other.
#pragma once

#include <Eigen/Core>
#include <span>
#include <vector>

#include "search/problem.h"

namespace lathe::search {

// Where each value of each decision lies on [0, 1]: kept channels by their share; widths at 1 - 2^-(bits - narrowest), stretched to
// [0, 1], since each further bit halves the quantization step and widths above 8 hardly differ.
std::vector<std::vector<double>> value_positions(const policies::SearchSpace& space);

// w(z; a, b) and its slopes.
struct Warped {
  double value, of_log_a = 0, of_log_b = 0;
};
Warped warped(double z, double a, double b);

struct KernelParameters {
  double log_additive = 0, log_product = 0;  // log of the variances a and p
  Eigen::VectorXd log_lengths;               // [decisions]
  Eigen::VectorXd log_a, log_b;              // [decisions], of the warping; empty = none
  bool is_warped() const { return log_a.size() > 0; }
};

// Candidates as rows of choices.
class CandidateRows {
 public:
  explicit CandidateRows(int decisions) : decisions_(static_cast<std::size_t>(decisions)) {}
  void append(const policies::Candidate& candidate) {
    choices_.insert(choices_.end(), candidate.choices.begin(), candidate.choices.end());
    ++rows_;
  }
  Eigen::Index size() const { return rows_; }
  std::span<const int> row(Eigen::Index i) const { return {choices_.data() + static_cast<std::size_t>(i) * decisions_, decisions_}; }

 private:
  std::size_t decisions_;
  Eigen::Index rows_ = 0;
  std::vector<int> choices_;
};

// Thread-compatible: const after construction.
class Kernel {
 public:
  Kernel(const std::vector<std::vector<double>>& positions, const KernelParameters& parameters);

  // What a covariance is made of; sums over decisions of M(u_d) and of u_d^2.
  struct Sums {
    double additive = 0, squared = 0;
  };
  Sums sums(std::span<const int> a, std::span<const int> b) const;
  double value(const Sums& sums) const;
  double variance() const { return additive_ + product_; }  // k(x, x)
  // The sums after decision `d` of `a` moves from value `from` to `to`, the other side having `other`.
  Sums moved(const Sums& sums, int d, int from, int to, int other) const;

  // n x n covariance of the rows.
  Eigen::MatrixXd matrix(const CandidateRows& rows) const;
  // For each parameter t in the order (log_additive, log_product, log_lengths, log_a, log_b, the last two where inputs are warped):
  // 0.5 * sum_ij weights_ij dK_ij/dt; weights symmetric.
  Eigen::VectorXd weighted_gradient(const CandidateRows& rows, const Eigen::MatrixXd& weights) const;

 private:
  // What a pair of values of one decision contributes.
  struct Pair {
    double matern, squared, slope;  // M(u), u^2, dM(u)/dlog l = (5/3) u^2 (1 + sqrt(5) u) exp(-sqrt(5) u)
  };
  // Of one decision: values x values row by row; by their difference where the values are evenly spaced, and computed anew each time where
  // they are many and are not (either would fill the memory otherwise).
  struct Tables {
    bool is_even = false, is_computed = false;
    std::size_t values = 0;
    double length = 1;
    std::vector<double> positions;   // warped
    std::vector<double> of_a, of_b;  // dw/dlog a, dw/dlog b at each value; empty without warping
    std::vector<Pair> pairs;
    Pair at(int a, int b) const {
      if (is_computed) return pair_at(positions[static_cast<std::size_t>(a)] - positions[static_cast<std::size_t>(b)], length);
      return pairs[is_even ? static_cast<std::size_t>(a > b ? a - b : b - a)
                           : static_cast<std::size_t>(a) * values + static_cast<std::size_t>(b)];
    }
  };
  static Pair pair_at(double distance, double length);
  static Tables tables_of(Tables tables);
  void add_warping_gradient(std::size_t d, int a, int b, double of_length, Eigen::VectorXd& gradient) const;
  double additive_, product_;
  std::vector<Tables> tables_;
};

}  // namespace lathe::search
