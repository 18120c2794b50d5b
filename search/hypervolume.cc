#include "search/hypervolume.h"

#include <algorithm>
#include <numeric>

#include "models/base/check.h"

namespace lathe::search {
namespace {

// Points one behind the other in one array: WFG copies and clips sets of them all the time.
class PointSet {
 public:
  explicit PointSet(std::size_t dimensions) : dimensions_(dimensions) {}
  std::size_t size() const { return values_.size() / dimensions_; }
  std::size_t dimensions() const { return dimensions_; }
  const double* operator[](std::size_t i) const { return values_.data() + i * dimensions_; }
  // Takes the first `dimensions` coordinates.
  void append(const double* point) { values_.insert(values_.end(), point, point + dimensions_); }

 private:
  std::size_t dimensions_;
  std::vector<double> values_;
};

bool is_covered(const double* by, const double* point, std::size_t dimensions) {
  for (std::size_t k = 0; k < dimensions; ++k) {
    if (by[k] > point[k]) return false;
  }
  return true;
}

// Indices by descending (or ascending) last coordinate; ties by index, so that results do not depend on the sort.
std::vector<std::size_t> by_last_coordinate(const PointSet& points, bool is_descending) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), 0);
  const std::size_t last = points.dimensions() - 1;
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const double x = points[a][last], y = points[b][last];
    return x != y ? (is_descending ? x > y : x < y) : a < b;
  });
  return order;
}

double sweep_2d(const PointSet& points, const double* reference) {
  Staircase stairs(reference[0], reference[1]);
  for (std::size_t i = 0; i < points.size(); ++i) stairs.add(points[i][0], points[i][1]);
  return stairs.area();
}

// Slabs between successive z, each as high as the gap and as large as the area that the points below it dominate in the plane.
double sweep_3d(const PointSet& points, const double* reference) {
  Staircase stairs(reference[0], reference[1]);
  double volume = 0, z = reference[2];
  for (const std::size_t i : by_last_coordinate(points, /*is_descending=*/false)) {
    volume += stairs.area() * (points[i][2] - z);  // nothing at the first point, whose area is still 0
    z = points[i][2];
    stairs.add(points[i][0], points[i][1]);
  }
  return volume + stairs.area() * (reference[2] - z);
}

// A set with no point that another one covers; the first of equal points stays.
PointSet without_covered(const PointSet& points) {
  std::vector<std::size_t> kept;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto covers = [&](std::size_t k) { return is_covered(points[k], points[i], points.dimensions()); };
    if (std::any_of(kept.begin(), kept.end(), covers)) continue;
    std::erase_if(kept, [&](std::size_t k) { return is_covered(points[i], points[k], points.dimensions()); });
    kept.push_back(i);
  }
  PointSet result(points.dimensions());
  for (const std::size_t k : kept) result.append(points[k]);
  return result;
}

// With the points ordered from the worst last coordinate to the best, those after p are no worse than p in it, so limiting them to p makes
// that coordinate equal to p's: the exclusive volume of p is a slab of height reference - p over an exclusive volume of one dimension less
// (While et al. 2012, section III.B).
double wfg(const PointSet& points, const double* reference) {
  const std::size_t last = points.dimensions() - 1;
  if (last == 1) return sweep_2d(points, reference);
  if (last == 2) return sweep_3d(points, reference);
  const std::vector<std::size_t> order = by_last_coordinate(points, /*is_descending=*/true);
  std::vector<double> clipped(last);
  double volume = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double* p = points[order[i]];
    double inclusive = 1;
    for (std::size_t k = 0; k < last; ++k) inclusive *= reference[k] - p[k];
    PointSet limited(last);
    for (std::size_t j = i + 1; j < order.size(); ++j) {
      for (std::size_t k = 0; k < last; ++k) clipped[k] = std::max(p[k], points[order[j]][k]);
      limited.append(clipped.data());
    }
    // The sweeps skip covered points by themselves.
    const double covered = last <= 3 ? wfg(limited, reference) : wfg(without_covered(limited), reference);
    volume += (reference[last] - p[last]) * (inclusive - covered);
  }
  return volume;
}

// Points that are below the reference everywhere.
PointSet inside(const std::vector<Point>& points, const Point& reference) {
  PointSet result(reference.size());
  for (const Point& p : points) {
    LATHE_CHECK_EQ(p.size(), reference.size());
    bool is_below = true;
    for (std::size_t k = 0; k < p.size(); ++k) is_below &= p[k] < reference[k];
    if (is_below) result.append(p.data());
  }
  return result;
}

}  // namespace

void Staircase::add(double x, double y) {
  if (!(x < corner_x_ && y < corner_y_)) return;
  const auto first = std::lower_bound(steps_.begin(), steps_.end(), x, [](const Step& step, double value) { return step.x < value; });
  double top = first == steps_.begin() ? corner_y_ : std::prev(first)->y;  // of what is dominated at x so far
  if (top <= y || (first != steps_.end() && first->x == x && first->y <= y)) return;
  double left = x;
  auto behind = first;
  for (; behind != steps_.end() && behind->y >= y; ++behind) {  // steps that the point dominates
    area_ += (behind->x - left) * (top - y);
    left = behind->x;
    top = behind->y;
  }
  area_ += ((behind == steps_.end() ? corner_x_ : behind->x) - left) * (top - y);
  if (behind == first) {
    steps_.insert(first, {x, y});
  } else {
    *first = {x, y};
    steps_.erase(std::next(first), behind);
  }
}

double hypervolume(const std::vector<Point>& points, const Point& reference) {
  LATHE_CHECK(!reference.empty());
  const PointSet below = inside(points, reference);
  if (below.size() == 0) return 0;
  if (reference.size() == 1) {
    double best = reference[0];
    for (std::size_t i = 0; i < below.size(); ++i) best = std::min(best, below[i][0]);
    return reference[0] - best;
  }
  return reference.size() <= 3 ? wfg(below, reference.data()) : wfg(without_covered(below), reference.data());
}

double hypervolume_gain(const std::vector<Point>& points, const Point& point, const Point& reference) {
  double box = 1;
  for (std::size_t k = 0; k < reference.size(); ++k) {
    if (!(point[k] < reference[k])) return 0;
    box *= reference[k] - point[k];
  }
  std::vector<Point> clipped = points;
  for (Point& p : clipped) {
    for (std::size_t k = 0; k < p.size(); ++k) p[k] = std::max(p[k], point[k]);
  }
  return std::max(0.0, box - hypervolume(clipped, reference));  // rounding must not make it negative
}

}  // namespace lathe::search
