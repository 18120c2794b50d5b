// The region that a front leaves free, as disjoint boxes: what expectations over it are summed up from.
#pragma once

#include <vector>

#include "search/hypervolume.h"

namespace lathe::search {

struct Box {
  Point low, high;  // low may be -infinity
};

// Disjoint boxes that fill the part of (-infinity, reference) which no point of `front` dominates; all coordinates minimized. n points in
// the plane give n + 1 boxes, in more dimensions more: a box that a point dominates in part is cut along each coordinate in turn.
std::vector<Box> non_dominated_boxes(std::vector<Point> front, const Point& reference);

}  // namespace lathe::search
