// Blocks of a weight that are zero or not as a whole: up to `size` consecutive indices of one axis at the same place of all others.
#pragma once

#include <cstddef>
#include <cstdint>

#include "models/tensor.h"

namespace lathe::policies {

class WeightBlocks {
 public:
  // size 1: each element is a block. Where the axis is no multiple of `size` the last block along it is shorter.
  WeightBlocks(const models::Shape& shape, int axis, std::int64_t size) : size_(size) {
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (i < static_cast<std::size_t>(axis)) outer_ *= shape[i];
      if (i == static_cast<std::size_t>(axis)) extent_ = shape[i];
      if (i > static_cast<std::size_t>(axis)) inner_ *= shape[i];
    }
  }

  std::int64_t count() const { return outer_ * along() * inner_; }
  // Of an element in row-major order: its block, and its place in the block.
  std::int64_t block_of(std::int64_t element) const {
    const std::int64_t index = element / inner_ % extent_;
    return (element / (extent_ * inner_) * along() + index / size_) * inner_ + element % inner_;
  }
  std::int64_t place_of(std::int64_t element) const { return element / inner_ % extent_ % size_; }

 private:
  std::int64_t along() const { return (extent_ + size_ - 1) / size_; }

  std::int64_t size_;
  std::int64_t outer_ = 1, extent_ = 1, inner_ = 1;
};

}  // namespace lathe::policies
