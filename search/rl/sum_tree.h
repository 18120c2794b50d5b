// Weights that change one by one and are drawn from in proportion, both in O(log n).
#pragma once

#include <cstddef>
#include <vector>

namespace lathe::search {

class SumTree {
 public:
  std::size_t size() const { return size_; }
  double total() const { return sums_.empty() ? 0 : sums_[1]; }
  double at(std::size_t index) const { return sums_[leaves_ + index]; }
  void append(double weight);  // >= 0
  void set(std::size_t index, double weight);
  // The entry that holds `position` when the weights lie side by side in [0, total()).
  std::size_t find(double position) const;

 private:
  std::size_t size_ = 0, leaves_ = 0;  // leaves_: a power of two; entry i is at leaves_ + i, the parent of k at k / 2
  std::vector<double> sums_;
};

}  // namespace lathe::search
