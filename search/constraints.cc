#include "search/constraints.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lathe::search {

bool meets_limit(const Metric& metric, double value) {
  if (std::isnan(metric.limit)) return !std::isnan(value);
  return metric.direction == Direction::kMinimize ? value <= metric.limit : value >= metric.limit;
}

ExactScore score_exactly(const Problem& problem, const policies::Candidate& candidate) {
  ExactScore score;
  score.metrics.assign(problem.metrics.size(), std::numeric_limits<double>::quiet_NaN());
  score.can_run = problem.exact == nullptr || problem.exact->compute(candidate, score.metrics);
  for (std::size_t m = 0; m < problem.metrics.size(); ++m) {
    if (problem.metrics[m].is_measured) score.metrics[m] = std::numeric_limits<double>::quiet_NaN();
  }
  return score;
}

double violation(const Problem& problem, const Front& front, const ExactScore& score) {
  if (!score.can_run) return std::numeric_limits<double>::infinity();
  double sum = 0;
  const auto add = [&](int m) {
    const Metric& metric = problem.metrics[static_cast<std::size_t>(m)];
    const double value = score.metrics[static_cast<std::size_t>(m)];
    if (metric.is_measured) return;
    if (!std::isfinite(value)) {
      sum = std::numeric_limits<double>::infinity();
    } else if (!meets_limit(metric, value)) {
      sum += std::abs(value - metric.limit) / std::max(std::abs(metric.limit), 1e-12);
    }
  };
  for (const int m : front.metrics) add(m);
  for (const int m : front.limited) add(m);
  return sum;
}

double least_violation(const Problem& problem, const ExactScore& score) {
  if (!score.can_run) return std::numeric_limits<double>::infinity();
  if (problem.fronts.empty()) return 0;
  double least = std::numeric_limits<double>::infinity();
  for (const Front& front : problem.fronts) least = std::min(least, violation(problem, front, score));
  return least;
}

std::optional<policies::Candidate> repaired(const Problem& problem, const Front* front, const policies::Candidate& candidate, Rng& rng) {
  const auto is_allowed = [&](const policies::Candidate& c) {
    const ExactScore score = score_exactly(problem, c);
    return (front != nullptr ? violation(problem, *front, score) : least_violation(problem, score)) == 0;
  };
  if (is_allowed(candidate)) return candidate;
  std::vector<int> steps;  // the decision that each step lowers
  for (std::size_t d = 0; d < candidate.choices.size(); ++d) {
    steps.insert(steps.end(), static_cast<std::size_t>(candidate.choices[d]), static_cast<int>(d));
  }
  rng.shuffle(steps);
  const auto after = [&](std::size_t count) {
    policies::Candidate lower = candidate;
    for (std::size_t i = 0; i < count; ++i) --lower.choices[static_cast<std::size_t>(steps[i])];
    return lower;
  };
  if (!is_allowed(after(steps.size()))) return std::nullopt;
  std::size_t broken = 0, kept = steps.size();  // `after(kept)` is allowed at every turn
  while (kept - broken > 1) {
    const std::size_t middle = broken + (kept - broken) / 2;
    (is_allowed(after(middle)) ? kept : broken) = middle;
  }
  return after(kept);
}

}  // namespace lathe::search
