#include "search/halving.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/base/check.h"
#include "search/pareto.h"

namespace lathe::search {
namespace {

void add(std::vector<Point>& front, Point point) {
  front.push_back(std::move(point));
  std::vector<Point> kept;
  for (const int i : non_dominated(front)) kept.push_back(front[static_cast<std::size_t>(i)]);
  front = std::move(kept);
}

}  // namespace

int Halving::proposals_per_survivor() const {
  int proposals = 1;
  for (int rung = 1; is_on() && rung < rungs; ++rung) proposals *= factor;
  return proposals;
}

double Halving::share(int rung) const {
  return std::pow(static_cast<double>(factor), rung + 1 - rungs);
}

int Halving::entrants(int round, int rung) const {
  int count = round;
  for (int r = 0; r < rung; ++r) count = (count + factor - 1) / factor;
  return count;
}

double Halving::cost(int round) const {
  double cost = 0;
  for (int rung = 0; rung < rungs; ++rung) cost += entrants(round, rung) * (share(rung) - (rung > 0 ? share(rung - 1) : 0));
  return cost;
}

HalvingSelection::HalvingSelection(const Problem& problem) : problem_(problem), bar_(problem), fronts_(problem.fronts.size()) {}

void HalvingSelection::learn(std::span<const Trial> finished) {
  bar_.learn(finished);
  for (const Trial& trial : finished) {
    for (std::size_t f = 0; f < fronts_.size(); ++f) {
      if (is_feasible(problem_, problem_.fronts[f], trial)) add(fronts_[f], to_minimized(problem_, problem_.fronts[f], trial.metrics));
    }
  }
}

std::vector<std::size_t> HalvingSelection::best(std::span<const Trial* const> trials, int count) const {
  std::vector<std::vector<Point>> fronts = fronts_;
  std::vector<std::size_t> open, chosen;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (trials[i]->state != TrialState::kFailed) open.push_back(i);
  }
  const auto gain = [&](const Trial& trial) {
    double sum = 0;
    for (std::size_t f = 0; f < fronts.size(); ++f) {
      const Front& front = problem_.fronts[f];
      if (!is_feasible(problem_, front, trial)) continue;
      const Point reference = minimized_reference(problem_, front);
      const double gained = hypervolume_gain(fronts[f], to_minimized(problem_, front, trial.metrics), reference);
      const double known = hypervolume(fronts[f], reference);
      sum += known > 0 ? gained / known : gained;  // the first trials gain all there is
    }
    return sum;
  };
  // Above the bar: what a measured metric has more than the best that is known at no higher cost.
  const auto margin = [&](const Trial& trial) {
    const double bar = bar_.of(trial.metrics);
    for (std::size_t m = 0; m < problem_.metrics.size(); ++m) {
      if (problem_.metrics[m].is_measured && std::isfinite(bar)) return trial.metrics[m] - bar;
    }
    return 0.0;
  };
  while (!open.empty() && static_cast<int>(chosen.size()) < count) {
    const auto better = [&](std::size_t a, std::size_t b) {
      const double gain_a = gain(*trials[a]), gain_b = gain(*trials[b]);
      return gain_a != gain_b ? gain_a < gain_b : margin(*trials[a]) < margin(*trials[b]);
    };
    const auto next = std::max_element(open.begin(), open.end(), better);
    chosen.push_back(*next);
    for (std::size_t f = 0; f < fronts.size(); ++f) {
      if (is_feasible(problem_, problem_.fronts[f], *trials[*next]))
        add(fronts[f], to_minimized(problem_, problem_.fronts[f], trials[*next]->metrics));
    }
    open.erase(next);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace lathe::search
