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

Warped warped(double z, double a, double b) {
  if (z <= 0 || z >= 1) return {.value = z};  // the ends stay where they are
  const double power = std::pow(z, a), rest = 1 - power, tail = std::pow(rest, b);
  return {.value = 1 - tail, .of_log_a = b * tail / rest * power * std::log(z) * a, .of_log_b = -tail * std::log(rest) * b};
}

Kernel::Pair Kernel::pair_at(double distance, double length) {
  const double u = std::abs(distance) / length;
  return {matern(u), u * u, u * u * slope_over_square(u)};
}

// With `positions` and `length` given.
Kernel::Tables Kernel::tables_of(Tables tables) {
  constexpr std::size_t kMostValues = 128;
  tables.values = tables.positions.size();
  tables.is_even = is_evenly_spaced(tables.positions);
  tables.is_computed = !tables.is_even && tables.values > kMostValues;
  if (tables.is_computed) return tables;
  for (const double a : tables.positions) {
    if (tables.is_even) {
      tables.pairs.push_back(pair_at(a - tables.positions.front(), tables.length));
      continue;
    }
    for (const double b : tables.positions) tables.pairs.push_back(pair_at(a - b, tables.length));
  }
  return tables;
}

Kernel::Kernel(const std::vector<std::vector<double>>& positions, const KernelParameters& parameters)
    : additive_(std::exp(parameters.log_additive)), product_(std::exp(parameters.log_product)) {
  for (std::size_t d = 0; d < positions.size(); ++d) {
    const auto i = static_cast<Eigen::Index>(d);
    Tables tables{.length = std::exp(parameters.log_lengths(i)), .positions = positions[d]};
    for (std::size_t v = 0; parameters.is_warped() && v < positions[d].size(); ++v) {
      const Warped w = warped(positions[d][v], std::exp(parameters.log_a(i)), std::exp(parameters.log_b(i)));
      tables.positions[v] = w.value;
      tables.of_a.push_back(w.of_log_a);
      tables.of_b.push_back(w.of_log_b);
    }
    tables_.push_back(tables_of(std::move(tables)));
  }
}

Kernel::Sums Kernel::sums(std::span<const int> a, std::span<const int> b) const {
  Sums sums;
  for (std::size_t d = 0; d < tables_.size(); ++d) {
    const Pair pair = tables_[d].at(a[d], b[d]);
    sums.additive += pair.matern;
    sums.squared += pair.squared;
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
  const Pair before = tables.at(from, other), after = tables.at(to, other);
  return {sums.additive + after.matern - before.matern, sums.squared + after.squared - before.squared};
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
  const bool is_warped = std::any_of(tables_.begin(), tables_.end(), [](const Tables& tables) { return !tables.of_a.empty(); });
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(2 + static_cast<Eigen::Index>(is_warped ? 3 * decisions : decisions));
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
        const Pair pair = tables_[d].at(a[d], b[d]);
        const double of_length = of_additive * pair.slope + of_product * pair.squared;
        lengths[d] += of_length;
        if (is_warped) add_warping_gradient(d, a[d], b[d], of_length, gradient);
      }
    }
  }
  return gradient;
}

// A covariance depends on the distance over the length scale: what a longer length gives, a shorter distance gives too.
void Kernel::add_warping_gradient(std::size_t d, int a, int b, double of_length, Eigen::VectorXd& gradient) const {
  const Tables& tables = tables_[d];
  const auto i = static_cast<std::size_t>(a), j = static_cast<std::size_t>(b);
  const double distance = tables.positions[i] - tables.positions[j];
  if (distance == 0) return;
  const auto decisions = static_cast<Eigen::Index>(tables_.size()), at = 2 + static_cast<Eigen::Index>(d);
  gradient(at + decisions) -= of_length * (tables.of_a[i] - tables.of_a[j]) / distance;
  gradient(at + 2 * decisions) -= of_length * (tables.of_b[i] - tables.of_b[j]) / distance;
}

}  // namespace lathe::search
