#include "search/rl/sum_tree.h"

#include <algorithm>

#include "models/base/check.h"

namespace lathe::search {

void SumTree::append(double weight) {
  if (size_ == leaves_) {
    std::vector<double> old(sums_.begin() + static_cast<std::ptrdiff_t>(leaves_), sums_.end());
    leaves_ = std::max<std::size_t>(1, 2 * leaves_);
    old.resize(leaves_, 0.0);
    sums_.assign(2 * leaves_, 0.0);
    std::copy(old.begin(), old.end(), sums_.begin() + static_cast<std::ptrdiff_t>(leaves_));
    for (std::size_t node = leaves_ - 1; node > 0; --node) sums_[node] = sums_[2 * node] + sums_[2 * node + 1];
  }
  set(size_++, weight);
}

void SumTree::set(std::size_t index, double weight) {
  LATHE_CHECK(weight >= 0) << "weight " << weight;
  std::size_t node = leaves_ + index;
  sums_[node] = weight;
  // Sums are made anew, not corrected by the difference, so that no rounding adds up.
  for (node /= 2; node > 0; node /= 2) sums_[node] = sums_[2 * node] + sums_[2 * node + 1];
}

std::size_t SumTree::find(double position) const {
  LATHE_CHECK_GT(size_, 0U);
  std::size_t node = 1;
  while (node < leaves_) {
    node *= 2;
    if (position < sums_[node]) continue;
    position -= sums_[node];
    ++node;
  }
  return std::min(node - leaves_, size_ - 1);  // a position at the very end, where rounding may step over it
}

}  // namespace lathe::search
