// Exact hypervolume: the volume that a set of points dominates below a reference point. All coordinates are to be minimized.
#pragma once

#include <cstddef>
#include <vector>

namespace lathe::search {

using Point = std::vector<double>;

// The non-dominated points of a set in the plane, by ascending x and so by descending y, and the area that they dominate below a corner.
// Adding a point takes O(log n) and a move of the steps behind it.
class Staircase {
 public:
  Staircase(double corner_x, double corner_y) : corner_x_(corner_x), corner_y_(corner_y) {}
  // Points that are not below the corner in both coordinates add nothing.
  void add(double x, double y);
  double area() const { return area_; }
  void clear() {
    steps_.clear();
    area_ = 0;
  }

 private:
  struct Step {
    double x, y;
  };
  double corner_x_, corner_y_, area_ = 0;
  std::vector<Step> steps_;
};

// Points beyond the reference in any coordinate (or NaN) count for nothing. Dimensions 1 to 3 by sweeps in O(n log n) (3: N. Beume, C. M.
// Fonseca, M. Lopez-Ibanez, L. Paquete, J. Vahrenhold, On the Complexity of Computing the Hypervolume Indicator, IEEE TEC 13(5), 2009),
// more by WFG (L. While, L. Bradstreet, L. Barone, A Fast Way of Calculating Exact Hypervolumes, IEEE TEC 16(1), 2012) down to those
// sweeps.
double hypervolume(const std::vector<Point>& points, const Point& reference);

// What `point` adds to the hypervolume of `points`.
double hypervolume_gain(const std::vector<Point>& points, const Point& point, const Point& reference);

}  // namespace lathe::search
