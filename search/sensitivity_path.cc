#include "search/sensitivity_path.h"

#include <algorithm>
#include <cmath>
#include <queue>
#include <set>

#include "search/constraints.h"

namespace lathe::search {
namespace {

using policies::Candidate;

constexpr double kFreeLoss = 1e-4;  // losses below this are noise: such a change counts as if it cost this much

struct Step {
  Candidate candidate;
  double cost, loss;
};

int cost_metric(const Problem& problem, const Front& front) {
  for (const int m : front.metrics) {
    const Metric& metric = problem.metrics[static_cast<std::size_t>(m)];
    if (!metric.is_measured && metric.direction == Direction::kMinimize) return m;
  }
  return -1;
}

// The loss that the measured metric may take before the reference point is reached, if it is a share that is to be maximized.
double most_loss(const Problem& problem, const Front& front) {
  for (std::size_t k = 0; k < front.metrics.size(); ++k) {
    const Metric& metric = problem.metrics[static_cast<std::size_t>(front.metrics[k])];
    const double reference = front.reference_point[k];
    if (metric.is_measured && metric.direction == Direction::kMaximize && reference >= 0 && reference < 1) return 1 - reference;
  }
  return std::numeric_limits<double>::infinity();
}

class GreedyPath {
 public:
  GreedyPath(const Problem& problem, int metric) : problem_(problem), metric_(metric), drops_(problem.sensitivity) {
    for (std::size_t d = 0; d < drops_.size(); ++d) {
      for (std::size_t v = drops_[d].size(); v-- > 1;) drops_[d][v - 1] = std::max(drops_[d][v - 1], drops_[d][v]);
      now_.choices.push_back(static_cast<int>(drops_[d].size()) - 1);
    }
    cost_ = cost(now_);
  }

  std::vector<Step> run(double most_loss) {
    std::vector<Step> path{{now_, cost_, 0}};
    for (std::size_t d = 0; d < drops_.size(); ++d) push_moves(d);
    double loss = 0;
    while (!moves_.empty()) {
      Move move = moves_.top();
      moves_.pop();
      const auto d = static_cast<std::size_t>(move.decision);
      if (move.value >= now_.choices[d]) continue;
      // Savings change as other decisions move: look again, and let it wait if another is better now.
      move.gain = gain(d, move.value);
      if (!(move.gain > 0)) continue;
      if (!moves_.empty() && move.gain < moves_.top().gain) {
        moves_.push(move);
        continue;
      }
      loss += extra_loss(d, move.value);
      if (loss > most_loss) break;
      now_.choices[d] = move.value;
      cost_ = cost(now_);
      path.push_back({now_, cost_, loss});
      push_moves(d);
    }
    return path;
  }

 private:
  struct Move {
    double gain;
    int decision, value;
    bool operator<(const Move& other) const {  // for the queue: the larger gain first, ties in network order
      if (gain != other.gain) return gain < other.gain;
      return decision != other.decision ? decision > other.decision : value < other.value;
    }
  };

  double cost(const Candidate& candidate) const {
    const ExactScore score = score_exactly(problem_, candidate);
    const double value = score.metrics[static_cast<std::size_t>(metric_)];
    return score.can_run && std::isfinite(value) ? value : std::numeric_limits<double>::infinity();
  }
  double extra_loss(std::size_t d, int value) const {
    return drops_[d][static_cast<std::size_t>(value)] - drops_[d][static_cast<std::size_t>(now_.choices[d])];
  }
  // Relative saving for each unit of loss. From a candidate that cannot run any change that can is welcome.
  double gain(std::size_t d, int value) const {
    Candidate moved = now_;
    moved.choices[d] = value;
    const double after = cost(moved);
    const double saving = std::isfinite(cost_) ? 1 - after / cost_ : (std::isfinite(after) ? 1.0 : 1e-6);
    return saving / std::max(extra_loss(d, value), kFreeLoss);
  }
  void push_moves(std::size_t d) {
    for (int value = 0; value < now_.choices[d]; ++value) {
      const double g = gain(d, value);
      if (g > 0) moves_.push({g, static_cast<int>(d), value});
    }
  }

  const Problem& problem_;
  int metric_;
  std::vector<std::vector<double>> drops_;
  Candidate now_;
  double cost_;
  std::priority_queue<Move> moves_;
};

}  // namespace

std::vector<Candidate> sensitivity_path(const Problem& problem, const Front& front, int count) {
  const int metric = cost_metric(problem, front);
  if (metric < 0 || count < 1 || problem.sensitivity.empty() || problem.sensitivity.size() != problem.space.decisions.size()) return {};
  std::vector<Step> path = GreedyPath(problem, metric).run(most_loss(problem, front));
  std::erase_if(path, [&](const Step& step) { return violation(problem, front, score_exactly(problem, step.candidate)) > 0; });
  if (path.empty()) return {};
  // The first changes cost nothing (32 to 8 bits): of what loses under a hundredth of the most, only the cheapest is of interest.
  const auto is_free = [&](const Step& step) { return step.loss <= 0.01 * path.back().loss; };
  const auto first = std::find_if_not(path.begin(), path.end(), is_free);
  if (first != path.begin()) path.erase(path.begin(), first - 1);
  std::vector<Candidate> chosen;
  std::set<Candidate> seen;
  const double high = path.front().cost, low = path.back().cost;
  for (int i = 0; i < count; ++i) {
    const double wanted = count == 1 ? high : high - (high - low) * i / (count - 1);
    const auto nearest = std::min_element(
        path.begin(), path.end(), [&](const Step& a, const Step& b) { return std::abs(a.cost - wanted) < std::abs(b.cost - wanted); });
    if (seen.insert(nearest->candidate).second) chosen.push_back(nearest->candidate);
  }
  return chosen;
}

}  // namespace lathe::search
