#include "search/initial_design.h"

#include <algorithm>
#include <cmath>
#include <set>

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
    }
  }
  return candidate;
}

std::vector<policies::Candidate> uniform_candidates(const policies::SearchSpace& space) {
  struct Uniform {
    double ratio;
    int weight_bits, activation_bits;
  };
  // 8 bits are nearly free in accuracy on every network and 4-bit weights often are (Krishnamoorthi 2018, tables 4 and 7), so these come
  // before lower ratios; the extremes come last.
  static constexpr Uniform kOrder[] = {{1, 32, 32},   {1, 8, 8},    {0.75, 8, 8},  {1, 4, 8},    {0.5, 8, 8}, {1, 4, 4},
                                       {0.875, 8, 8}, {1, 6, 6},    {0.625, 8, 8}, {0.75, 4, 8}, {1, 16, 16}, {0.75, 6, 6},
                                       {0.5, 4, 8},   {0.75, 4, 4}, {0.25, 8, 8},  {1, 2, 4}};
  if (space.layers.empty()) return {};
  std::vector<policies::Candidate> distinct;
  std::set<policies::Candidate> seen;
  for (const Uniform& uniform : kOrder) {
    policies::Candidate candidate = uniform_candidate(space, uniform.ratio, uniform.weight_bits, uniform.activation_bits);
    if (seen.insert(candidate).second) distinct.push_back(std::move(candidate));
  }
  return distinct;
}

std::vector<policies::Candidate> initial_candidates(const Problem& problem) {
  std::vector<policies::Candidate> uniform = uniform_candidates(problem.space);
  constexpr int kOnPaths = 14, kOnEachPath = 4;
  std::vector<policies::Candidate> informed;
  const int fronts = static_cast<int>(problem.fronts.size());
  for (const Front& front : problem.fronts) {
    for (policies::Candidate& candidate : sensitivity_path(problem, front, std::max(kOnPaths / fronts, kOnEachPath) + 1)) {
      if (std::find(uniform.begin(), uniform.end(), candidate) == uniform.end()) informed.push_back(std::move(candidate));
    }
  }
  if (informed.empty()) return uniform;
  uniform.resize((uniform.size() + 1) / 2);
  std::vector<policies::Candidate> mixed;
  for (std::size_t i = 0; i < std::max(uniform.size(), informed.size()); ++i) {
    if (i < uniform.size()) mixed.push_back(uniform[i]);
    if (i < informed.size()) mixed.push_back(informed[i]);
  }
  return mixed;
}

int initial_trials(const Problem& problem, int wanted) {
  return problem.sensitivity.empty() ? wanted : std::max(wanted, static_cast<int>(initial_candidates(problem).size()));
}

}  // namespace lathe::search
