#include "search/bayes/box_decomposition.h"

#include <algorithm>
#include <limits>

namespace lathe::search {
namespace {

// The parts of `box` that `point` does not dominate: below it in the last coordinate; else below it in the last but one; and so on.
void cut(Box box, const Point& point, std::vector<Box>& parts) {
  for (std::size_t k = point.size(); k-- > 0;) {
    if (box.low[k] >= point[k]) continue;
    parts.push_back(box);
    parts.back().high[k] = point[k];
    box.low[k] = point[k];
  }
}

bool reaches(const Point& point, const Box& box) {
  for (std::size_t k = 0; k < point.size(); ++k) {
    if (!(point[k] < box.high[k])) return false;
  }
  return true;
}

}  // namespace

std::vector<Box> non_dominated_boxes(std::vector<Point> front, const Point& reference) {
  // By the last coordinate, which is cut first: what lies below a point in it is not touched by any later one.
  std::sort(front.begin(), front.end(), [](const Point& a, const Point& b) { return a.back() != b.back() ? a.back() < b.back() : a < b; });
  std::vector<Box> finished, open{{Point(reference.size(), -std::numeric_limits<double>::infinity()), reference}};
  for (const Point& point : front) {
    std::vector<Box> next;
    for (Box& box : open) {
      if (!reaches(point, box)) {
        next.push_back(std::move(box));
      } else {
        cut(std::move(box), point, next);
      }
    }
    // A box that ends at or below this point's last coordinate is out of reach of all that follow.
    open.clear();
    for (Box& box : next) (box.high.back() <= point.back() ? finished : open).push_back(std::move(box));
  }
  finished.insert(finished.end(), open.begin(), open.end());
  return finished;
}

}  // namespace lathe::search
