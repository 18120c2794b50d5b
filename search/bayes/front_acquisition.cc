#include "search/bayes/front_acquisition.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/base/check.h"
#include "search/constraints.h"
#include "search/pareto.h"

namespace lathe::search {
namespace {

using policies::Candidate;
constexpr double kNothing = -std::numeric_limits<double>::infinity();

}  // namespace

FrontAcquisition::FrontAcquisition(const Problem& problem, const Front& front, std::span<const Posterior> posteriors)
    : problem_(problem), front_(front), posteriors_(posteriors), reference_(minimized_reference(problem, front)) {
  LATHE_CHECK(!posteriors.empty());
  for (std::size_t k = 0; k < front.metrics.size(); ++k) {
    const Coordinate objective = coordinate_of(front.metrics[k]);
    objectives_.push_back(objective);
    // Nothing is gained beyond a limit on an objective: it moves the reference.
    const double limit = problem.metrics[static_cast<std::size_t>(objective.metric)].limit;
    if (!std::isnan(limit)) reference_[k] = std::min(reference_[k], objective.sign * limit);
    reference_[k] = believed(objective, reference_[k]);
  }
  for (const int m : front.limited) {
    const Coordinate coordinate = coordinate_of(m);
    const double limit = problem.metrics[static_cast<std::size_t>(m)].limit;
    if (coordinate.posterior >= 0 && !std::isnan(limit)) limits_.push_back({coordinate, believed(coordinate, coordinate.sign * limit)});
  }
  std::vector<std::vector<Belief>> beliefs;  // [posteriors, rows]
  for (const Posterior& posterior : posteriors) beliefs.push_back(posterior.beliefs_at_data());
  find_front(beliefs);
}

FrontAcquisition::Coordinate FrontAcquisition::coordinate_of(int metric) const {
  const Metric& described = problem_.metrics[static_cast<std::size_t>(metric)];
  Coordinate coordinate{metric, described.direction == Direction::kMinimize ? 1.0 : -1.0};
  for (std::size_t p = 0; p < posteriors_.size(); ++p) {
    if (posteriors_[p].metric() == metric) coordinate.posterior = static_cast<int>(p);
  }
  LATHE_CHECK_EQ(described.is_measured, coordinate.posterior >= 0) << described.name;
  return coordinate;
}

// A value of sign * metric in the units of the metric's beliefs.
double FrontAcquisition::believed(const Coordinate& coordinate, double value) const {
  if (coordinate.posterior < 0) return value;
  return coordinate.sign * posteriors_[static_cast<std::size_t>(coordinate.posterior)].known(coordinate.sign * value);
}

Belief FrontAcquisition::minimized(const Coordinate& coordinate, const std::vector<double>& exact_metrics,
                                   std::span<const Belief> beliefs) const {
  if (coordinate.posterior < 0) return {coordinate.sign * exact_metrics[static_cast<std::size_t>(coordinate.metric)], 0};
  const Belief& belief = beliefs[static_cast<std::size_t>(coordinate.posterior)];
  return {coordinate.sign * belief.mean, belief.stddev};
}

// The front as it is believed to be: posterior means instead of single noisy measurements, fantasies included.
void FrontAcquisition::find_front(const std::vector<std::vector<Belief>>& beliefs_at_data) {
  std::vector<Point> points;
  std::vector<int> rows;
  const CandidateRows& candidates = posteriors_.front().process().rows();
  std::vector<Belief> beliefs(posteriors_.size());
  for (Eigen::Index i = 0; i < candidates.size(); ++i) {
    const std::span<const int> choices = candidates.row(i);
    const ExactScore exact = score_exactly(problem_, Candidate{{choices.begin(), choices.end()}});
    if (violation(problem_, front_, exact) > 0) continue;
    for (std::size_t p = 0; p < beliefs.size(); ++p) beliefs[p] = beliefs_at_data[p][static_cast<std::size_t>(i)];
    const auto is_kept = [&](const Limit& limit) { return minimized(limit.coordinate, exact.metrics, beliefs).mean <= limit.most; };
    if (!std::all_of(limits_.begin(), limits_.end(), is_kept)) continue;
    Point point;
    for (const Coordinate& objective : objectives_) point.push_back(minimized(objective, exact.metrics, beliefs).mean);
    points.push_back(std::move(point));
    rows.push_back(static_cast<int>(i));
  }
  for (const int i : non_dominated(points)) elite_.push_back(rows[static_cast<std::size_t>(i)]);
  if (elite_.empty() && !limits_.empty() && candidates.size() > 0) elite_.push_back(nearest_row(beliefs_at_data));
  improvement_.emplace(points, reference_);
}

// Least sum of excesses over the measured limits, each relative to the largest one among the rows.
int FrontAcquisition::nearest_row(const std::vector<std::vector<Belief>>& beliefs_at_data) const {
  std::vector<double> total(beliefs_at_data.front().size(), 0);
  for (const Limit& limit : limits_) {
    const std::vector<Belief>& beliefs = beliefs_at_data[static_cast<std::size_t>(limit.coordinate.posterior)];
    std::vector<double> excess;
    for (const Belief& belief : beliefs) excess.push_back(std::max(0.0, limit.coordinate.sign * belief.mean - limit.most));
    const double largest = *std::max_element(excess.begin(), excess.end());
    for (std::size_t i = 0; i < excess.size() && largest > 0; ++i) total[i] += excess[i] / largest;
  }
  return static_cast<int>(std::min_element(total.begin(), total.end()) - total.begin());
}

std::optional<std::vector<double>> FrontAcquisition::exact_metrics(const Candidate& candidate) const {
  ExactScore exact = score_exactly(problem_, candidate);
  if (violation(problem_, front_, exact) > 0) return std::nullopt;
  for (std::size_t k = 0; k < objectives_.size(); ++k) {
    const Coordinate& objective = objectives_[k];
    if (objective.posterior >= 0) continue;
    if (!(objective.sign * exact.metrics[static_cast<std::size_t>(objective.metric)] < reference_[k])) return std::nullopt;
  }
  return std::move(exact.metrics);
}

double FrontAcquisition::log_value(const std::vector<double>& exact_metrics, std::span<const Belief> beliefs) const {
  double log_feasible = 0;
  for (const Limit& limit : limits_) log_feasible += log_probability_below(limit.most, minimized(limit.coordinate, exact_metrics, beliefs));
  if (log_feasible == kNothing) return kNothing;
  std::vector<Belief> point;
  for (const Coordinate& objective : objectives_) point.push_back(minimized(objective, exact_metrics, beliefs));
  return improvement_->log_expected(point) + log_feasible;
}

}  // namespace lathe::search
