#include "search/bayes/candidate_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "search/constraints.h"
#include "search/evolution/variation.h"

namespace lathe::search {
namespace {

using policies::Candidate;
constexpr double kNothing = -std::numeric_limits<double>::infinity();

const Metric& metric_of(const Problem& problem, const Front& front, std::size_t k) {
  return problem.metrics[static_cast<std::size_t>(front.metrics[k])];
}

}  // namespace

CandidateSearch::CandidateSearch(const Problem& problem, const Front& front, const Posterior& posterior, const ProposalBatch& batch,
                                 const CandidateSearchOptions& options)
    : problem_(problem), front_(front), posterior_(posterior), batch_(batch), options_(options) {
  double highest = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < front.metrics.size() && measured_ < 0; ++k) {
    const Metric& metric = metric_of(problem, front, k);
    if (!metric.is_measured) continue;
    measured_ = static_cast<int>(k);
    if (!std::isnan(metric.limit)) highest = metric.direction == Direction::kMinimize ? metric.limit : -metric.limit;
  }
  for (std::size_t d = 0; d < problem.space.decisions.size(); ++d) {
    if (problem.space.decisions[d].values.size() > 1) movable_.push_back(static_cast<int>(d));
  }
  // The front as it is believed to be: posterior means instead of single noisy measurements, fantasies included.
  const std::vector<Belief> beliefs = posterior.beliefs_at_data();
  std::vector<Point> points;
  std::vector<int> rows;
  for (Eigen::Index i = 0; i < posterior.process().size(); ++i) {
    const std::span<const int> choices = posterior.process().rows().row(i);
    const ExactScore exact = score_exactly(problem, Candidate{{choices.begin(), choices.end()}});
    if (violation(problem, front, exact) > 0) continue;
    Point point = to_minimized(problem, front, exact.metrics);
    if (measured_ >= 0) {
      const double mean = beliefs[static_cast<std::size_t>(i)].mean;
      const auto m = static_cast<std::size_t>(measured_);
      point[m] = metric_of(problem, front, m).direction == Direction::kMinimize ? mean : -mean;
      if (point[m] > highest) continue;
    }
    points.push_back(std::move(point));
    rows.push_back(static_cast<int>(i));
  }
  for (const int i : non_dominated(points)) elite_.push_back(rows[static_cast<std::size_t>(i)]);
  improvement_.emplace(points, minimized_reference(problem, front), measured_, highest);
}

std::optional<Point> CandidateSearch::admitted(const Candidate& candidate) const {
  if (!batch_.is_new(candidate)) return std::nullopt;
  const ExactScore exact = score_exactly(problem_, candidate);
  if (violation(problem_, front_, exact) > 0) return std::nullopt;
  Point point = to_minimized(problem_, front_, exact.metrics);
  for (std::size_t k = 0; k < point.size(); ++k) {
    // Beyond the reference nothing can be gained: not worth a prediction.
    const double reference =
        metric_of(problem_, front_, k).direction == Direction::kMinimize ? front_.reference_point[k] : -front_.reference_point[k];
    if (static_cast<int>(k) != measured_ && !(point[k] < reference)) return std::nullopt;
  }
  return point;
}

double CandidateSearch::score(const Point& point, const Belief& belief) const {
  if (measured_ < 0) return improvement_->log_expected(point, 0, 0);
  const bool is_minimized = metric_of(problem_, front_, static_cast<std::size_t>(measured_)).direction == Direction::kMinimize;
  return improvement_->log_expected(point, is_minimized ? belief.mean : -belief.mean, belief.stddev);
}

std::vector<double> CandidateSearch::scores(const std::vector<Candidate>& candidates) const {
  std::vector<double> result(candidates.size(), kNothing);
  std::vector<std::size_t> chosen;
  std::vector<Point> points;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (std::optional<Point> point = admitted(candidates[i])) {
      chosen.push_back(i);
      points.push_back(std::move(*point));
    }
  }
  const GaussianProcess& process = posterior_.process();
  Eigen::MatrixXd cross(process.size(), static_cast<Eigen::Index>(chosen.size()));
  for (std::size_t c = 0; c < chosen.size(); ++c) {
    for (Eigen::Index i = 0; i < process.size(); ++i) {
      cross(i, static_cast<Eigen::Index>(c)) =
          process.kernel().value(process.kernel().sums(candidates[chosen[c]].choices, process.rows().row(i)));
    }
  }
  const std::vector<GpPrediction> predictions = process.predict(cross);
  for (std::size_t c = 0; c < chosen.size(); ++c) {
    result[chosen[c]] = score(points[c], posterior_.belief(predictions[c], candidates[chosen[c]].choices));
  }
  return result;
}

// As `scores`, with the covariances of the base changed by one decision instead of computed anew.
std::vector<double> CandidateSearch::neighbour_scores(const Candidate& base, const std::vector<Change>& changes) const {
  const GaussianProcess& process = posterior_.process();
  std::vector<Kernel::Sums> sums;
  for (Eigen::Index i = 0; i < process.size(); ++i) sums.push_back(process.kernel().sums(base.choices, process.rows().row(i)));
  std::vector<double> result(changes.size(), kNothing);
  std::vector<std::size_t> chosen;
  std::vector<Point> points;
  std::vector<Candidate> candidates;
  for (std::size_t c = 0; c < changes.size(); ++c) {
    Candidate neighbour = base;
    neighbour.choices[static_cast<std::size_t>(changes[c].decision)] = changes[c].value;
    std::optional<Point> point = admitted(neighbour);
    if (!point) continue;
    chosen.push_back(c);
    points.push_back(std::move(*point));
    candidates.push_back(std::move(neighbour));
  }
  Eigen::MatrixXd cross(process.size(), static_cast<Eigen::Index>(chosen.size()));
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    const Change change = changes[chosen[k]];
    const auto d = static_cast<std::size_t>(change.decision);
    for (Eigen::Index i = 0; i < process.size(); ++i) {
      cross(i, static_cast<Eigen::Index>(k)) = process.kernel().value(process.kernel().moved(
          sums[static_cast<std::size_t>(i)], change.decision, base.choices[d], change.value, process.rows().row(i)[d]));
    }
  }
  const std::vector<GpPrediction> predictions = process.predict(cross);
  for (std::size_t k = 0; k < chosen.size(); ++k)
    result[chosen[k]] = score(points[k], posterior_.belief(predictions[k], candidates[k].choices));
  return result;
}

CandidateSearch::Change CandidateSearch::random_change(const Candidate& candidate, Rng& rng) const {
  const int d = movable_[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(movable_.size())))];
  const auto at = static_cast<std::size_t>(d);
  return {d, moved_choice(candidate.choices[at], static_cast<int>(problem_.space.decisions[at].values.size()), rng)};
}

std::vector<Candidate> CandidateSearch::pool(const std::vector<Candidate>& rows, CandidateStream& stream, Rng& rng) const {
  std::vector<Candidate> candidates;
  const auto elite = [&]() -> const Candidate& {
    return rows[static_cast<std::size_t>(elite_[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(elite_.size())))])];
  };
  for (int i = 0; i < options_.pool; ++i) {
    constexpr double kFromStream = 0.2, kCrossed = 0.4;  // the rest are mutants of the front
    const double kind = rng.uniform();
    if (elite_.empty() || kind < kFromStream) {
      if (std::optional<Candidate> drawn = stream.next()) candidates.push_back(std::move(*drawn));
      continue;
    }
    Candidate child = kind < kFromStream + kCrossed ? crossed(elite(), elite(), rng) : elite();
    do {
      const Change change = random_change(child, rng);
      child.choices[static_cast<std::size_t>(change.decision)] = change.value;
    } while (rng.uniform() < 0.6);  // 2.5 changes on average
    candidates.push_back(std::move(child));
  }
  return candidates;
}

void CandidateSearch::climb(Candidate& candidate, double& value, Rng& rng) const {
  int misses = 0;
  for (int step = 0; step < options_.steps && misses < 2; ++step) {
    std::vector<Change> changes;
    for (int i = 0; i < options_.neighbours; ++i) changes.push_back(random_change(candidate, rng));
    const std::vector<double> scores = neighbour_scores(candidate, changes);
    const auto best = static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
    if (scores[best] <= value) {
      ++misses;  // the neighbours are a sample: look once more
      continue;
    }
    misses = 0;
    value = scores[best];
    candidate.choices[static_cast<std::size_t>(changes[best].decision)] = changes[best].value;
  }
}

std::optional<Candidate> CandidateSearch::best(const std::vector<Candidate>& rows, const std::vector<Candidate>& also,
                                               CandidateStream& stream, Rng& rng) const {
  if (movable_.empty()) return std::nullopt;
  std::vector<Candidate> candidates = pool(rows, stream, rng);
  candidates.insert(candidates.end(), also.begin(), also.end());
  const std::vector<double> values = scores(candidates);
  std::vector<std::size_t> order(candidates.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
  std::optional<Candidate> best;
  double best_value = kNothing;
  for (std::size_t s = 0; s < std::min(order.size(), static_cast<std::size_t>(options_.starts)); ++s) {
    Candidate candidate = candidates[order[s]];
    double value = values[order[s]];
    if (value == kNothing) break;
    climb(candidate, value, rng);
    if (value > best_value) {
      best_value = value;
      best = std::move(candidate);
    }
  }
  return best;
}

}  // namespace lathe::search
