#include "search/bayes/kernel.h"

#include <algorithm>
#include <cmath>

namespace lathe::search {
namespace {

const double kSqrt5 = std::sqrt(5.0);

double matern(double u) {
  return (1 + kSqrt5 * u + 5.0 / 3 * u * u) * std::exp(-kSqrt5 * u);
}

// dM/dlog l at u = distance / l, without the factor u^2: it also serves the product term, where (dr/dlog l_d) r = -u_d^2 / D.
double slope_over_square(double u) {
  return 5.0 / 3 * (1 + kSqrt5 * u) * std::exp(-kSqrt5 * u);
}

bool is_evenly_spaced(const std::vector<double>& positions) {
  constexpr double kRounding = 1e-12;  // positions lie in [0, 1]
  for (std::size_t v = 2; v < positions.size(); ++v) {
    if (std::abs(positions[v] - positions[v - 1] - (positions[1] - positions[0])) > kRounding) return false;
  }
  return true;
}

}  // namespace

std::vector<std::vector<double>> value_positions(const policies::SearchSpace& space) {
  std::vector<std::vector<double>> positions;
  for (const policies::Decision& decision : space.decisions) {
    const bool is_width = decision.kind == policies::DecisionKind::kWeightBits || decision.kind == policies::DecisionKind::kActivationBits;
    std::vector<double> z;
    for (const int value : decision.values) {
      z.push_back(is_width ? 1 - std::exp2(decision.values.front() - value) : static_cast<double>(value));
    }
    const double low = is_width ? 0 : std::min(0.0, z.front()), high = z.back();
    for (double& position : z) position = high > low ? (position - low) / (high - low) : 1;
    positions.push_back(std::move(z));
  }
  return positions;
}

Kernel::Tables Kernel::tables_of(const std::vector<double>& positions, double length) {
  Tables tables{.is_even = is_evenly_spaced(positions), .values = positions.size()};
  const auto add = [&](double distance) {
    const double u = distance / length;
    tables.matern.push_back(matern(u));
    tables.squared.push_back(u * u);
    tables.slope.push_back(u * u * slope_over_square(u));
  };
  for (const double a : positions) {
    if (tables.is_even) {
      add(a - positions.front());
      continue;
    }
    for (const double b : positions) add(std::abs(a - b));
  }
  return tables;
}

Kernel::Kernel(const std::vector<std::vector<double>>& positions, const KernelParameters& parameters)
    : additive_(std::exp(parameters.log_additive)), product_(std::exp(parameters.log_product)) {
  for (std::size_t d = 0; d < positions.size(); ++d) {
    tables_.push_back(tables_of(positions[d], std::exp(parameters.log_lengths(static_cast<Eigen::Index>(d)))));
  }
}

Kernel::Sums Kernel::sums(std::span<const int> a, std::span<const int> b) const {
  Sums sums;
  for (std::size_t d = 0; d < tables_.size(); ++d) {
    const std::size_t at = tables_[d].at(a[d], b[d]);
    sums.additive += tables_[d].matern[at];
    sums.squared += tables_[d].squared[at];
  }
  return sums;
}

double Kernel::value(const Sums& sums) const {
  const double decisions = std::max<double>(static_cast<double>(tables_.size()), 1);
  // Differences of sums (`moved`) may leave a tiny negative rest.
  return additive_ * sums.additive / decisions + product_ * matern(std::sqrt(std::max(sums.squared, 0.0) / decisions));
}

Kernel::Sums Kernel::moved(const Sums& sums, int d, int from, int to, int other) const {
  const Tables& tables = tables_[static_cast<std::size_t>(d)];
  const std::size_t before = tables.at(from, other), after = tables.at(to, other);
  return {sums.additive + tables.matern[after] - tables.matern[before], sums.squared + tables.squared[after] - tables.squared[before]};
}

Eigen::MatrixXd Kernel::matrix(const CandidateRows& rows) const {
  const Eigen::Index n = rows.size();
  Eigen::MatrixXd k(n, n);
  for (Eigen::Index i = 0; i < n; ++i) {
    k(i, i) = variance();
    for (Eigen::Index j = 0; j < i; ++j) k(i, j) = k(j, i) = value(sums(rows.row(i), rows.row(j)));
  }
  return k;
}

Eigen::VectorXd Kernel::weighted_gradient(const CandidateRows& rows, const Eigen::MatrixXd& weights) const {
  const Eigen::Index n = rows.size();
  const std::size_t decisions = tables_.size();
  const double share = 1.0 / static_cast<double>(std::max<std::size_t>(decisions, 1));
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(2 + static_cast<Eigen::Index>(decisions));
  double* lengths = gradient.data() + 2;
  // Diagonal: k(x, x) = a + p does not depend on the length scales. Off it, (i, j) and (j, i) together make up for the 0.5.
  const double diagonal = 0.5 * weights.trace();
  gradient(0) = additive_ * diagonal;
  gradient(1) = product_ * diagonal;
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < i; ++j) {
      const std::span<const int> a = rows.row(i), b = rows.row(j);
      const Sums s = sums(a, b);
      const double r = std::sqrt(s.squared * share), weight = weights(i, j);
      gradient(0) += weight * additive_ * s.additive * share;
      gradient(1) += weight * product_ * matern(r);
      const double of_additive = weight * additive_ * share, of_product = weight * product_ * share * slope_over_square(r);
      for (std::size_t d = 0; d < decisions; ++d) {
        if (a[d] == b[d]) continue;
        const std::size_t at = tables_[d].at(a[d], b[d]);
        lengths[d] += of_additive * tables_[d].slope[at] + of_product * tables_[d].squared[at];
      }
    }
  }
  return gradient;
}

}  // namespace lathe::search
