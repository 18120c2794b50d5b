// The non-dominated points of a growing set, each with the id of its trial. All coordinates are to be minimized.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "search/hypervolume.h"

namespace lathe::search {

// Members lie in blocks of neighbours, each with the bounds of its members, so that most blocks are passed over with one comparison (the
// idea of the ND-tree: A. Jaszkiewicz, T. Lust, ND-Tree-Based Update: A Fast Algorithm for the Dynamic Nondominance Problem, IEEE TEC
// 22(5), 2018, with one level instead of a tree).
class ParetoArchive {
 public:
  explicit ParetoArchive(std::size_t dimensions);

  // Takes the point in unless a member is no worse everywhere, and drops the members that it dominates. Says whether it was taken.
  bool insert(const Point& point, std::int64_t id);

  std::size_t size() const { return size_; }
  // In the order of ids.
  std::vector<std::int64_t> ids() const;
  std::vector<Point> points() const;
  double hypervolume(const Point& reference) const;

 private:
  struct Block {
    Point low, high;             // bounds of the members that it ever had: never too narrow
    std::vector<double> values;  // [members, dimensions]
    std::vector<std::int64_t> ids;
  };
  bool is_covered(std::span<const double> point) const;
  void drop_dominated(std::span<const double> point);
  Block& nearest_block(std::span<const double> point);
  void split(std::size_t block);

  std::size_t dimensions_, size_ = 0;
  std::vector<Block> blocks_;
};

}  // namespace lathe::search
