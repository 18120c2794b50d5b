#include "search/initial_design.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>

#include "search/constraints.h"
#include "search/sensitivity_path.h"

namespace lathe::search {
namespace {

int nearest_channels(const std::vector<int>& values, double ratio) {
  const double wanted = ratio * values.back();
  int best = 0;
  for (std::size_t v = 0; v < values.size(); ++v) {
    // On a tie the later one, which compresses less.
    if (std::abs(values[v] - wanted) <= std::abs(values[static_cast<std::size_t>(best)] - wanted)) best = static_cast<int>(v);
  }
  return best;
}

int width_at_least(const std::vector<int>& values, int bits) {
  const auto found = std::lower_bound(values.begin(), values.end(), bits);
  return static_cast<int>(found == values.end() ? values.size() - 1 : found - values.begin());
}

// Whether `a` keeps at least what `b` keeps everywhere.
bool compresses_at_most_as(const policies::Candidate& a, const policies::Candidate& b) {
  return std::equal(a.choices.begin(), a.choices.end(), b.choices.begin(), std::greater_equal<>());
}

// Whether some exact objective of some front is better with `after`. Without any, every change counts.
bool saves(const Problem& problem, const ExactScore& before, const ExactScore& after) {
  bool has_cost = false;
  for (const Front& front : problem.fronts) {
    for (const int m : front.metrics) {
      const auto at = static_cast<std::size_t>(m);
      const Metric& metric = problem.metrics[at];
      if (metric.is_measured) continue;
      has_cost = true;
      if (metric.direction == Direction::kMinimize ? after.metrics[at] < before.metrics[at] : after.metrics[at] > before.metrics[at])
        return true;
    }
  }
  return !has_cost;
}

struct Uniform {
  double ratio;
  int weight_bits, activation_bits;
};
// 8 bits are nearly free in accuracy on every network and 4-bit weights often are (Krishnamoorthi 2018, tables 4 and 7), so these come
// before lower ratios; the extremes come last.
constexpr Uniform kUniform[] = {{1, 32, 32},  {1, 8, 8},     {0.75, 8, 8}, {1, 4, 8},   {0.5, 8, 8},  {1, 4, 4},   {0.875, 8, 8},
                                {1, 6, 6},    {0.625, 8, 8}, {0.75, 4, 8}, {1, 16, 16}, {0.75, 6, 6}, {0.5, 4, 8}, {0.75, 4, 4},
                                {0.25, 8, 8}, {1, 2, 4},     {1, 5, 5},    {1, 3, 3},   {1, 7, 7}};
constexpr std::size_t kMostUniform = 16;  // agents need trials of their own as well

bool is_one_width(const Uniform& uniform) {
  return uniform.ratio == 1 && uniform.weight_bits == uniform.activation_bits;
}

// The candidates of the uniform policies, each that differs from those before it and is cheaper somewhere than the ones that keep more.
std::vector<policies::Candidate> without_useless(const Problem& problem, const std::vector<Uniform>& order) {
  if (problem.space.layers.empty()) return {};
  std::vector<policies::Candidate> chosen;
  std::vector<ExactScore> scores;
  for (const Uniform& uniform : order) {
    policies::Candidate candidate = uniform_candidate(problem.space, uniform.ratio, uniform.weight_bits, uniform.activation_bits);
    ExactScore score = score_exactly(problem, candidate);
    bool is_useless = false;
    for (std::size_t i = 0; i < chosen.size() && !is_useless; ++i) {
      is_useless = candidate == chosen[i] || (compresses_at_most_as(chosen[i], candidate) && !saves(problem, scores[i], score));
    }
    if (is_useless) continue;
    chosen.push_back(std::move(candidate));
    scores.push_back(std::move(score));
  }
  return chosen;
}

}  // namespace

policies::Candidate uniform_candidate(const policies::SearchSpace& space, double ratio, int weight_bits, int activation_bits) {
  policies::Candidate candidate;
  for (const policies::Decision& decision : space.decisions) {
    switch (decision.kind) {
      case policies::DecisionKind::kKeptChannels:
        candidate.choices.push_back(nearest_channels(decision.values, ratio));
        break;
      case policies::DecisionKind::kWeightBits:
        candidate.choices.push_back(width_at_least(decision.values, weight_bits));
        break;
      case policies::DecisionKind::kActivationBits:
        candidate.choices.push_back(width_at_least(decision.values, activation_bits));
        break;
      case policies::DecisionKind::kKeptWeights:
      case policies::DecisionKind::kKeptBlock:
      case policies::DecisionKind::kRank:
        candidate.choices.push_back(static_cast<int>(decision.values.size()) - 1);  // dense, deep and whole: the rest is for agents to find
        break;
    }
  }
  return candidate;
}

std::vector<policies::Candidate> uniform_candidates(const Problem& problem) {
  std::vector<policies::Candidate> candidates = without_useless(problem, {std::begin(kUniform), std::end(kUniform)});
  if (candidates.size() > kMostUniform) candidates.resize(kMostUniform);
  return candidates;
}

std::vector<policies::Candidate> initial_candidates(const Problem& problem) {
  constexpr int kOnPaths = 14, kOnEachPath = 4;
  const std::vector<policies::Candidate> uniform = uniform_candidates(problem);
  std::vector<policies::Candidate> informed;
  const int fronts = static_cast<int>(problem.fronts.size());
  for (const Front& front : problem.fronts) {
    for (policies::Candidate& candidate : sensitivity_path(problem, front, std::max(kOnPaths / fronts, kOnEachPath) + 1)) {
      if (std::find(uniform.begin(), uniform.end(), candidate) == uniform.end()) informed.push_back(std::move(candidate));
    }
  }
  if (informed.empty()) return uniform;
  // Paths mix ratios and widths better than a uniform policy does; one width for all is what they lack, and what people compare with.
  std::vector<Uniform> widths_first(std::begin(kUniform), std::end(kUniform));
  std::stable_partition(widths_first.begin(), widths_first.end(), is_one_width);
  std::vector<policies::Candidate> kept = without_useless(problem, widths_first);
  kept.resize((kept.size() + 1) / 2);
  std::vector<policies::Candidate> mixed;
  for (std::size_t i = 0; i < std::max(kept.size(), informed.size()); ++i) {
    if (i < kept.size()) mixed.push_back(kept[i]);
    if (i < informed.size()) mixed.push_back(informed[i]);
  }
  return mixed;
}

int initial_trials(const Problem& problem, std::size_t design_size, int wanted) {
  return problem.sensitivity.empty() ? wanted : std::max(wanted, static_cast<int>(design_size));
}

}  // namespace lathe::search
