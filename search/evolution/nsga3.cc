#include "search/evolution/nsga3.h"

#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <limits>

#include "search/evolution/genetic_agent.h"

namespace lathe::search {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void append_points(Point& point, std::size_t k, int left, int divisions, std::vector<Point>& points) {
  if (k + 1 == point.size()) {
    point[k] = static_cast<double>(left) / divisions;
    points.push_back(point);
    return;
  }
  for (int part = 0; part <= left; ++part) {
    point[k] = static_cast<double>(part) / divisions;
    append_points(point, k + 1, left - part, divisions, points);
  }
}

// Of each axis the member that is nearest to it: least achievement max_k (f_k / w_k), w = 1 on the axis and 1e-6 off it (eq. 4).
std::vector<Point> extreme_points(const std::vector<Point>& shifted) {
  constexpr double kOffAxis = 1e-6;
  std::vector<Point> extremes;
  for (std::size_t axis = 0; axis < shifted.front().size(); ++axis) {
    const auto achievement = [&](const Point& p) {
      double largest = 0;
      for (std::size_t k = 0; k < p.size(); ++k) largest = std::max(largest, k == axis ? p[k] : p[k] / kOffAxis);
      return largest;
    };
    extremes.push_back(
        *std::min_element(shifted.begin(), shifted.end(), [&](const Point& a, const Point& b) { return achievement(a) < achievement(b); }));
  }
  return extremes;
}

// Where the plane through the extreme points meets the axes: E b = 1, intercepts 1 / b. Empty where there is none on the positive side.
Point intercepts(const std::vector<Point>& extremes) {
  const auto m = static_cast<Eigen::Index>(extremes.size());
  Eigen::MatrixXd matrix(m, m);
  for (Eigen::Index i = 0; i < m; ++i) {
    for (Eigen::Index k = 0; k < m; ++k) matrix(i, k) = extremes[static_cast<std::size_t>(i)][static_cast<std::size_t>(k)];
  }
  const Eigen::FullPivLU<Eigen::MatrixXd> lu(matrix);
  if (!lu.isInvertible()) return {};
  const Eigen::VectorXd b = lu.solve(Eigen::VectorXd::Ones(m));
  Point at;
  for (Eigen::Index k = 0; k < m; ++k) {
    if (!(b(k) > 0) || !std::isfinite(1 / b(k))) return {};
    at.push_back(1 / b(k));
  }
  return at;
}

Point ranges(const std::vector<Point>& shifted) {
  Point most(shifted.front().size(), 0);
  for (const Point& p : shifted) {
    for (std::size_t k = 0; k < p.size(); ++k) most[k] = std::max(most[k], p[k]);
  }
  return most;
}

// From a point to the line through the origin and `direction`.
double squared_distance(const Point& point, const Point& direction) {
  double along = 0, square = 0, length = 0;
  for (std::size_t k = 0; k < point.size(); ++k) {
    along += point[k] * direction[k];
    square += point[k] * point[k];
    length += direction[k] * direction[k];
  }
  return square - along * along / length;
}

// The direction that each member serves (section IV.D).
struct Niche {
  std::size_t direction = 0;
  double distance = kInfinity;
};

std::vector<Niche> niches_of(const std::vector<Point>& points, const std::vector<Point>& directions) {
  std::vector<Niche> niches(points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t d = 0; d < directions.size(); ++d) {
      const double distance = squared_distance(points[i], directions[d]);
      if (distance < niches[i].distance) niches[i] = {d, distance};
    }
  }
  return niches;
}

std::size_t drawn(const std::vector<std::size_t>& from, Rng& rng) {
  return from[static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(from.size())))];
}

// Algorithm 4: the members of [first, end) to keep, `wanted` of them. Members before `first` survive anyway.
std::vector<std::size_t> fill_niches(const std::vector<Niche>& niches, std::size_t first, std::size_t wanted, std::size_t directions,
                                     Rng& rng) {
  std::vector<int> counts(directions, 0);
  for (std::size_t i = 0; i < first; ++i) ++counts[niches[i].direction];
  std::vector<std::vector<std::size_t>> waiting(directions);
  for (std::size_t i = first; i < niches.size(); ++i) waiting[niches[i].direction].push_back(i);
  std::vector<std::size_t> chosen;
  while (chosen.size() < wanted) {
    std::vector<std::size_t> rarest;  // directions with the fewest members, of those that somebody waits for
    for (std::size_t d = 0; d < directions; ++d) {
      if (waiting[d].empty()) continue;
      if (!rarest.empty() && counts[d] < counts[rarest.front()]) rarest.clear();
      if (rarest.empty() || counts[d] == counts[rarest.front()]) rarest.push_back(d);
    }
    const std::size_t direction = drawn(rarest, rng);
    std::vector<std::size_t>& members = waiting[direction];
    const auto nearest = std::min_element(members.begin(), members.end(),
                                          [&](std::size_t a, std::size_t b) { return niches[a].distance < niches[b].distance; });
    const std::size_t member = counts[direction] == 0 ? *nearest : drawn(members, rng);
    chosen.push_back(member);
    std::erase(members, member);
    ++counts[direction];
  }
  return chosen;
}

}  // namespace

std::vector<Point> das_dennis_points(std::size_t objectives, int divisions) {
  std::vector<Point> points;
  Point point(objectives, 0);
  append_points(point, 0, divisions, divisions, points);
  return points;
}

std::vector<Point> reference_directions(std::size_t objectives, std::size_t most) {
  std::vector<Point> points = das_dennis_points(objectives, 1);
  for (int divisions = 2; objectives > 1; ++divisions) {
    std::vector<Point> more = das_dennis_points(objectives, divisions);
    if (more.size() > most) break;
    points = std::move(more);
  }
  return points;
}

std::vector<Point> normalized_objectives(const std::vector<Individual>& individuals) {
  const std::size_t objectives = individuals.front().objectives.size();
  Point ideal(objectives, kInfinity);
  for (const Individual& individual : individuals) {
    for (std::size_t k = 0; k < objectives; ++k) ideal[k] = std::min(ideal[k], individual.objectives[k]);
  }
  std::vector<Point> points, best;  // minus the ideal; those of rank 0 alone
  for (const Individual& individual : individuals) {
    Point shifted = individual.objectives;
    for (std::size_t k = 0; k < objectives; ++k) shifted[k] -= ideal[k];
    if (individual.rank == 0) best.push_back(shifted);
    points.push_back(std::move(shifted));
  }
  Point scale = intercepts(extreme_points(best.empty() ? points : best));
  if (scale.empty()) scale = ranges(best.empty() ? points : best);
  for (Point& point : points) {
    for (std::size_t k = 0; k < objectives; ++k) point[k] /= std::max(scale[k], 1e-12);
  }
  return points;
}

std::vector<Individual> niching_selection(std::vector<Individual> individuals, std::size_t count, Rng& rng) {
  const std::vector<std::vector<int>> fronts = fast_non_dominated_sort(individuals);
  std::vector<Individual> kept;
  std::size_t first_of_last = 0;
  for (const std::vector<int>& front : fronts) {
    if (kept.size() >= count) break;
    first_of_last = kept.size();
    for (const int i : front) kept.push_back(individuals[static_cast<std::size_t>(i)]);
  }
  if (kept.size() <= count) return kept;
  const std::vector<Point> directions = reference_directions(kept.front().objectives.size(), count);
  const std::vector<Niche> niches = niches_of(normalized_objectives(kept), directions);
  std::vector<std::size_t> chosen = fill_niches(niches, first_of_last, count - first_of_last, directions.size(), rng);
  std::sort(chosen.begin(), chosen.end());
  std::vector<Individual> survivors(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(first_of_last));
  for (const std::size_t i : chosen) survivors.push_back(kept[i]);
  return survivors;
}

const AgentKind& nsga3_kind() {
  static const AgentKind kKind{
      "nsga3", "NSGA-III (Deb and Jain 2014): as nsga2, spread by reference directions, for three and more objectives", genetic_options()};
  return kKind;
}

std::unique_ptr<Agent> make_nsga3(const AgentOptions& options, const Problem& problem, std::uint64_t seed) {
  return make_genetic_agent(nsga3_kind(), options, niching_selection, problem, seed);
}

}  // namespace lathe::search
