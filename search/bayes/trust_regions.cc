#include "search/bayes/trust_regions.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "search/bayes/kernel.h"
#include "search/pareto.h"

namespace lathe::search {

int TrustBox::nearest(int d, int choice) const {
  return std::clamp(choice, low[static_cast<std::size_t>(d)], high[static_cast<std::size_t>(d)]);
}

TrustRegions::TrustRegions(const Problem& problem, const Front& front, const TrustRegionOptions& options)
    : problem_(problem),
      front_(front),
      options_(options),
      positions_(value_positions(problem.space)),
      reference_(minimized_reference(problem, front)),
      regions_(static_cast<std::size_t>(options.regions), Region{options.length}) {}

void TrustRegions::learn(std::span<const Trial> finished) {
  for (const Trial& trial : finished) {
    const double gain = gain_of(trial);
    const auto found = proposed_.find(trial.candidate);
    if (found == proposed_.end()) continue;
    constexpr double kLeast = 1e-4;  // of the hypervolume
    score(regions_[static_cast<std::size_t>(found->second)], gain > kLeast);
    proposed_.erase(found);
  }
}

// The share by which the hypervolume grows. Takes the trial into the front.
double TrustRegions::gain_of(const Trial& trial) {
  if (!is_feasible(problem_, front_, trial)) return 0;
  const Point point = to_minimized(problem_, front_, trial.metrics);
  const double gain = hypervolume_gain(points_, point, reference_);
  if (!(gain > 0)) return 0;
  const double before = hypervolume(points_, reference_);
  points_.push_back(point);
  members_.push_back(trial.candidate);
  std::vector<Point> points;
  std::vector<policies::Candidate> members;
  for (const int i : non_dominated(points_)) {
    points.push_back(points_[static_cast<std::size_t>(i)]);
    members.push_back(members_[static_cast<std::size_t>(i)]);
  }
  points_ = std::move(points);
  members_ = std::move(members);
  return before > 0 ? gain / before : 1;
}

void TrustRegions::score(Region& region, bool is_success) {
  region.successes = is_success ? region.successes + 1 : 0;
  region.failures = is_success ? 0 : region.failures + 1;
  if (region.successes == options_.successes) region = {std::min(2 * region.length, options_.longest)};
  if (region.failures == options_.failures) region = {region.length / 2};
  if (region.length < options_.shortest) region = {options_.length};
}

std::vector<std::size_t> TrustRegions::members_by_contribution() const {
  const double whole = hypervolume(points_, reference_);
  std::vector<double> contributions;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    std::vector<Point> others = points_;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    contributions.push_back(whole - hypervolume(others, reference_));
  }
  std::vector<std::size_t> order(points_.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return contributions[a] > contributions[b]; });
  return order;
}

TrustBox TrustRegions::box(int region, const Eigen::VectorXd& log_lengths) const {
  TrustBox box{.center = members_[members_by_contribution()[static_cast<std::size_t>(region) % members_.size()]], .low = {}, .high = {}};
  const double mean = log_lengths.mean();  // sides have the region's length as geometric mean
  for (std::size_t d = 0; d < positions_.size(); ++d) {
    const std::vector<double>& z = positions_[d];
    const int at = box.center.choices[d], last = static_cast<int>(z.size()) - 1;
    const double half = 0.5 * length(region) * std::exp(log_lengths(static_cast<Eigen::Index>(d)) - mean);
    const double middle = z[static_cast<std::size_t>(at)];
    const auto low = static_cast<int>(std::lower_bound(z.begin(), z.end(), middle - half) - z.begin());
    const auto high = static_cast<int>(std::upper_bound(z.begin(), z.end(), middle + half) - z.begin()) - 1;
    box.low.push_back(std::max(0, std::min(low, at - 1)));
    box.high.push_back(std::min(last, std::max(high, at + 1)));
  }
  return box;
}

}  // namespace lathe::search
