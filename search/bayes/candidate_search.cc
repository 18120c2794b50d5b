#include "search/bayes/candidate_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "search/evolution/variation.h"

namespace lathe::search {
namespace {

using policies::Candidate;
constexpr double kNothing = -std::numeric_limits<double>::infinity();

}  // namespace

CandidateSearchOptions widened(CandidateSearchOptions options, std::size_t decisions) {
  const auto d = static_cast<int>(decisions);
  options.steps = std::max(options.steps, d / 7);
  options.neighbours = std::max(options.neighbours, 3 * d / 5);
  return options;
}

CandidateSearch::CandidateSearch(const Problem& problem, const FrontAcquisition& acquisition, const ProposalBatch& batch,
                                 const CandidateSearchOptions& options, const TrustBox* box)
    : problem_(problem), acquisition_(acquisition), batch_(batch), options_(options), box_(box) {
  for (std::size_t d = 0; d < problem.space.decisions.size(); ++d) {
    if (problem.space.decisions[d].values.size() > 1) movable_.push_back(static_cast<int>(d));
  }
}

template <typename FillCross>
std::vector<double> CandidateSearch::scores_of(const std::vector<Candidate>& candidates, const FillCross& fill_cross) const {
  std::vector<std::size_t> chosen;
  std::vector<std::vector<double>> exact_metrics;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (!batch_.is_new(candidates[i])) continue;
    std::optional<std::vector<double>> exact = acquisition_.exact_metrics(candidates[i]);
    if (!exact) continue;
    chosen.push_back(i);
    exact_metrics.push_back(std::move(*exact));
  }
  const std::span<const Posterior> posteriors = acquisition_.posteriors();
  std::vector<std::vector<Belief>> beliefs(chosen.size(), std::vector<Belief>(posteriors.size()));
  for (std::size_t p = 0; p < posteriors.size(); ++p) {
    Eigen::MatrixXd cross(posteriors[p].process().size(), static_cast<Eigen::Index>(chosen.size()));
    fill_cross(posteriors[p].process(), chosen, cross);
    const std::vector<GpPrediction> predictions = posteriors[p].process().predict(cross);
    for (std::size_t c = 0; c < chosen.size(); ++c) beliefs[c][p] = posteriors[p].belief(predictions[c], candidates[chosen[c]].choices);
  }
  std::vector<double> result(candidates.size(), kNothing);
  for (std::size_t c = 0; c < chosen.size(); ++c) result[chosen[c]] = acquisition_.log_value(exact_metrics[c], beliefs[c]);
  return result;
}

std::vector<double> CandidateSearch::scores(const std::vector<Candidate>& candidates) const {
  return scores_of(candidates, [&](const GaussianProcess& process, const std::vector<std::size_t>& chosen, Eigen::MatrixXd& cross) {
    for (std::size_t c = 0; c < chosen.size(); ++c) {
      for (Eigen::Index i = 0; i < process.size(); ++i) {
        cross(i, static_cast<Eigen::Index>(c)) =
            process.kernel().value(process.kernel().sums(candidates[chosen[c]].choices, process.rows().row(i)));
      }
    }
  });
}

// As `scores`, with the covariances of the base changed by one decision instead of computed anew.
std::vector<double> CandidateSearch::neighbour_scores(const Candidate& base, const std::vector<Change>& changes) const {
  std::vector<Candidate> neighbours(changes.size(), base);
  for (std::size_t c = 0; c < changes.size(); ++c) neighbours[c].choices[static_cast<std::size_t>(changes[c].decision)] = changes[c].value;
  return scores_of(neighbours, [&](const GaussianProcess& process, const std::vector<std::size_t>& chosen, Eigen::MatrixXd& cross) {
    for (Eigen::Index i = 0; i < process.size(); ++i) {
      const std::span<const int> row = process.rows().row(i);
      const Kernel::Sums sums = process.kernel().sums(base.choices, row);
      for (std::size_t c = 0; c < chosen.size(); ++c) {
        const Change change = changes[chosen[c]];
        const auto d = static_cast<std::size_t>(change.decision);
        cross(i, static_cast<Eigen::Index>(c)) =
            process.kernel().value(process.kernel().moved(sums, change.decision, base.choices[d], change.value, row[d]));
      }
    }
  });
}

CandidateSearch::Change CandidateSearch::random_change(const Candidate& candidate, Rng& rng) const {
  const int d = movable_[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(movable_.size())))];
  const auto at = static_cast<std::size_t>(d);
  const int values = static_cast<int>(problem_.space.decisions[at].values.size());
  const int to = is_fine(values) ? leapt_choice(candidate.choices[at], values, rng) : moved_choice(candidate.choices[at], values, rng);
  return {d, box_ != nullptr ? box_->nearest(d, to) : to};
}

const Candidate& CandidateSearch::elite(const std::vector<Candidate>& rows, Rng& rng) const {
  const std::vector<int>& front = acquisition_.elite();
  return rows[static_cast<std::size_t>(front[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(front.size())))])];
}

// 2.5 changes on average.
void CandidateSearch::mutate(Candidate& candidate, Rng& rng) const {
  do {
    const Change change = random_change(candidate, rng);
    candidate.choices[static_cast<std::size_t>(change.decision)] = change.value;
  } while (rng.uniform() < 0.6);
}

// 20 decisions, on average, anywhere in the box, as TuRBO's candidates.
void CandidateSearch::scatter(Candidate& candidate, Rng& rng) const {
  constexpr double kScattered = 20;
  const double chance = kScattered / static_cast<double>(movable_.size());
  for (const int d : movable_) {
    const auto at = static_cast<std::size_t>(d);
    if (rng.uniform() < chance) candidate.choices[at] = box_->low[at] + static_cast<int>(rng.below(box_->high[at] - box_->low[at] + 1));
  }
}

std::vector<Candidate> CandidateSearch::pool_in_box(const std::vector<Candidate>& rows, Rng& rng) const {
  std::vector<Candidate> candidates;
  for (int i = 0; i < options_.pool; ++i) {
    constexpr double kScattered = 0.5, kCrossed = 0.2;  // the rest are mutants of the center
    Candidate child = box_->center;
    const double kind = rng.uniform();
    if (kind < kScattered) {
      scatter(child, rng);
    } else {
      if (kind < kScattered + kCrossed && !acquisition_.elite().empty()) child = crossed(child, elite(rows, rng), rng);
      mutate(child, rng);
      for (const int d : movable_)
        child.choices[static_cast<std::size_t>(d)] = box_->nearest(d, child.choices[static_cast<std::size_t>(d)]);
    }
    candidates.push_back(std::move(child));
  }
  return candidates;
}

std::vector<Candidate> CandidateSearch::pool(const std::vector<Candidate>& rows, CandidateStream& stream, Rng& rng) const {
  std::vector<Candidate> candidates;
  for (int i = 0; i < options_.pool; ++i) {
    constexpr double kFromStream = 0.2, kCrossed = 0.4;  // the rest are mutants of the front
    const double kind = rng.uniform();
    if (acquisition_.elite().empty() || kind < kFromStream) {
      if (std::optional<Candidate> drawn = stream.next()) candidates.push_back(std::move(*drawn));
      continue;
    }
    const Candidate& parent = elite(rows, rng);
    Candidate child = kind < kFromStream + kCrossed ? crossed(elite(rows, rng), parent, rng) : parent;
    mutate(child, rng);
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
  std::vector<Candidate> candidates = box_ != nullptr ? pool_in_box(rows, rng) : pool(rows, stream, rng);
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
